"""A visitor's own weights for a network of timm or torchvision."""

import hashlib
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from se_viz.gates.model import Model, load_checkpoint
from se_viz.zoo import catalogue, table
from se_viz.zoo.classes import read_classes
from se_viz.zoo.device import Precision

LARGEST_FILE = 250  # MB; what the server takes, see .streamlit/config.toml
_LARGEST = 100_000_000  # parameters
_KEY = "own_model"


@dataclass(frozen=True)
class Own:
    """What a model of a visitor's own was made of: names of files, and of the architecture."""

    name: str
    weights: str
    architecture: str
    classes: str


def loaded(model: Model) -> Own | None:
    """What the session's own model was made of; None for any other."""
    own: Own | None = st.session_state.get(_KEY)
    return own if own is not None and own.name == model.name else None


@st.cache_resource(show_spinner=False)
def _architectures() -> list[str]:
    return [name for name in catalogue.architectures() if table.shipped()[name].gates]


# By the upload's number, so that 200 MB are not hashed at every rerun; a few, as they are large.
@st.cache_resource(max_entries=2, on_release=Model.close, show_spinner="Reading the weights …")
def _load(_weights: UploadedFile, _names: UploadedFile | None, key: tuple[str, ...], precision: Precision) -> Model:
    architecture, device = key[-2:]
    classes = read_classes(_names.getvalue()) if _names else ()
    model = load_checkpoint(
        _weights,
        architecture,
        classes=classes,
        device=device,
        precision=precision,
        name=_weights.name,
        largest=_LARGEST,
    )
    model.name = f"{_weights.name} {hashlib.sha256(_weights.getvalue()).hexdigest()[:8]}"
    return model


def choose(device: str, precision: Precision) -> Model | None:
    """Ask for architecture and files; the model, or None where one of them is missing.

    Raises:
        ValueError: the file is refused, or the network has no gate that can be read; the message says why.
    """
    architecture = st.selectbox(
        "Architecture",
        _architectures(),
        index=None,
        placeholder="Search timm and torchvision",
        key="own_architecture",
    )
    weights: UploadedFile | None = st.file_uploader(
        "Weights",
        type=["safetensors", "pth", "pt", "bin", "ckpt", "tar"],
        key="own_weights",
        max_upload_size=LARGEST_FILE,
        help="safetensors, or a state dict of torch.save. Nothing in the file is run, and it is kept on no disk.",
    )
    names: UploadedFile | None = st.file_uploader(
        "Names of the classes, if you like",
        type=["txt", "json"],
        key="own_classes",
        max_upload_size=4,
        help="One a line in the order of the logits, or JSON.",
    )
    if architecture is None or weights is None:
        st.caption(
            "The architecture must be the one that the weights were saved from; the number of classes may differ."
        )
        return None
    key = (weights.file_id, names.file_id if names else "", architecture, device)
    model = _load(weights, names, key, precision)
    st.session_state[_KEY] = Own(model.name, weights.name, architecture, names.name if names else "")
    return model
