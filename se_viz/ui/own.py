"""A visitor's own weights for a network of timm or torchvision."""

import hashlib
from dataclasses import dataclass
from threading import Lock
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from se_viz.data.preprocess import IMAGENET_MEAN, IMAGENET_STD
from se_viz.gates.model import Model, load_checkpoint
from se_viz.ui.eviction import let_go
from se_viz.zoo import catalogue, table
from se_viz.zoo.classes import read_classes
from se_viz.zoo.device import Precision
from se_viz.zoo.head import Head, HeadKind

LARGEST_FILE = 250  # MB; what the server takes, see .streamlit/config.toml
_LARGEST = 100_000_000  # parameters
_KEY = "own_model"
_ITS_OWN = "the architecture's own"
_SCALES = {
    "ImageNet's mean and deviation": (IMAGENET_MEAN, IMAGENET_STD),
    "0.5 and 0.5, to −1 … 1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "0 and 1, as they are": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
_one = Lock()


@dataclass(frozen=True)
class Own:
    """What a model of a visitor's own was made of: names of files and of the architecture, and how it sees pictures.

    ``prepared`` are arguments of ``load_checkpoint``: size, or mean and std; what is not there is the architecture's.
    """

    name: str
    weights: str
    architecture: str
    classes: str
    prepared: dict[str, Any]


def loaded(model: Model) -> Own | None:
    """What the session's own model was made of; None for any other."""
    own: Own | None = st.session_state.get(_KEY)
    return own if own is not None and own.name == model.name else None


@st.cache_resource(show_spinner=False)
def _architectures() -> list[str]:
    return [name for name in catalogue.architectures() if table.shipped()[name].gates]


# By the upload's number, so that 200 MB are not hashed at every rerun; a few, as they are large.
@st.cache_resource(max_entries=2, on_release=let_go, show_spinner="Reading the weights …")
def _load(
    _weights: UploadedFile,
    _names: UploadedFile | None,
    key: tuple[str, ...],
    precision: Precision,
    head: HeadKind | None,
    prepared: dict[str, Any],
) -> Model:
    architecture, device = key[-2:]
    classes = read_classes(_names.getvalue()) if _names else ()
    # One at a time, as reading takes several times the file's size.
    with _one:
        model = load_checkpoint(
            _weights,
            architecture,
            classes=classes,
            head=head,
            device=device,
            precision=precision,
            name=_weights.name,
            largest=_LARGEST,
            **prepared,
        )
    # One file may fit two architectures that differ in what has no weights, such as padding.
    made_of = hashlib.sha256(_weights.getvalue() + f"{architecture} {prepared}".encode())
    model.name = f"{_weights.name} {made_of.hexdigest()[:16]}"
    return model


def choose(device: str, precision: Precision, head: Head | None) -> Model | None:
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
        help="One a line in the order of the logits, or JSON. Of a binary head two, of no and of yes, or that of yes.",
    )
    prepared = _prepared()
    if architecture is None or weights is None:
        st.caption(
            "The architecture must be the one that the weights were saved from; the number of classes may differ."
        )
        return None
    key = (weights.file_id, names.file_id if names else "", architecture, device)
    # By the kind of head, as another takes other names.
    model = _load(weights, names, key, precision, head.kind if head else None, prepared)
    st.session_state[_KEY] = Own(model.name, weights.name, architecture, names.name if names else "", prepared)
    return model if head is None else model.with_head(head)


def _prepared() -> dict[str, Any]:
    """How pictures are prepared, where it is not as the architecture's own weights have it."""
    with st.popover("Preparation of pictures", icon=":material/tune:", type="tertiary"):
        size = st.number_input(
            "Side of the input, pixels", 16, 1024, value=None, step=1, placeholder=_ITS_OWN, key="own_size"
        )
        scaled = st.selectbox("Values are scaled by", [_ITS_OWN, *_SCALES], key="own_scale")
    prepared: dict[str, Any] = {"size": size} if size else {}
    return prepared | ({} if scaled == _ITS_OWN else dict(zip(("mean", "std"), _SCALES[scaled], strict=True)))
