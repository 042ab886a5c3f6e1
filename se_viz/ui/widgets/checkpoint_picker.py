"""A visitor's own weights for a network of timm or torchvision."""

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from se_viz.data.preprocess import IMAGENET_MEAN, IMAGENET_STD
from se_viz.device.devices import Precision
from se_viz.model.loading import load_checkpoint
from se_viz.model.model import Model
from se_viz.ui.markdown import plain
from se_viz.ui.state.cache_budget import model_bytes, models, release_model
from se_viz.ui.state.uploads import upload
from se_viz.ui.state.visitor import leaving
from se_viz.ui.widgets import head_picker as heads
from se_viz.weights import state_dict
from se_viz.weights.class_names import read_classes
from se_viz.weights.errors import Cancelled, Misfit, WeightsRefused
from se_viz.weights.head import Head, HeadKind, HeadMismatch
from se_viz.zoo import gate_index as table
from se_viz.zoo import registry as catalogue
from se_viz.zoo.architecture_arguments import from_stranger

LARGEST_FILE = 250  # MB; what the server takes, see .streamlit/config.toml
_LARGEST = 100_000_000  # parameters
_KEY = "own_model"
_REFUSED = "own_refused"  # in the session: what was refused, and the error
_ITS_OWN = "the architecture's own"
_SCALES = {
    "ImageNet's mean and deviation": (IMAGENET_MEAN, IMAGENET_STD),
    "0.5 and 0.5, to −1 … 1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "0 and 1, as they are": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
_one = Lock()


@dataclass(frozen=True)
class Own:
    """What a model of a visitor's own was made of: names of files and of the architecture, and how it sees images.

    ``prepared`` are arguments of ``load_checkpoint``: size, or mean and std, and arguments; what is not there is the
    architecture's.
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
@st.cache_resource(max_entries=2, on_release=release_model, show_spinner="Reading the weights …")
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
            cancelled=leaving(),
            **prepared,
        )
    # One file may fit two architectures that differ in what has no weights, such as padding.
    made_of = hashlib.sha256(_weights.getvalue() + f"{architecture} {prepared}".encode())
    model.name = f"{_weights.name} {made_of.hexdigest()[:16]}"
    return model


def called(model: Model) -> str:
    """What a model is called in a sentence: one of a visitor's own as its file, without what sets it apart."""
    own = loaded(model)
    return model.name if own is None else own.weights


def choose(device: str, precision: Precision, head: Head | None, problem: DeltaGenerator) -> Model | None:
    """Ask for architecture and files; the model, or None where one of them is missing.

    Args:
        device, precision: where the network runs, and in what.
        head: what its outputs mean, if that was chosen.
        problem: a container of the page, for a file that does not fit, and what to choose instead.

    Raises:
        ValueError: the file is refused, or the network has no gate that can be read; the message says why.
    """
    state_dict.warm()
    architecture = st.selectbox(
        "Architecture",
        _architectures(),
        index=None,
        placeholder="Search timm and torchvision",
        key="own_architecture",
        persist_state="session",
    )
    weights = upload(
        "Weights",
        ["safetensors", "pth", "pt", "bin", "ckpt", "tar"],
        key="own_weights",
        megabytes=LARGEST_FILE,
        help="safetensors, or a state dict of torch.save. Nothing in the file is run, and it is kept on no disk.",
    )
    names = upload(
        "Names of the classes, if you like",
        ["txt", "json"],
        key="own_classes",
        megabytes=4,
        help="One a line in the order of the logits, or JSON. Of a binary head two, of no and of yes, or that of yes.",
    )
    text = st.text_input(
        "Arguments of the architecture (optional)",
        key="own_arguments",
        placeholder="rd_ratio=0.25, act_layer=relu",
        max_chars=500,
        persist_state="session",
        help="Only where the network was made with arguments of its own: key=value, key=value, or JSON. Values are "
        "numbers, true, false, null, words and lists of these. The number of classes is read from the file.",
    )
    prepared = _prepared()
    arguments = from_stranger(text)
    if arguments:
        prepared["arguments"] = arguments
    if architecture is None or weights is None:
        st.caption("The architecture must be the one that the weights were saved from; its classifier may differ.")
        return None
    key = (weights.file_id, names.file_id if names else "", architecture, device)
    try:
        try:
            # By the kind of head, as another takes other names.
            model = _load_once(weights, names, key, precision, head.kind if head else None, prepared)
        except HeadMismatch as error:
            with problem:
                _explain_head(error, head, names)
            head = names = None
            model = _load(weights, None, (key[0], "", *key[2:]), precision, None, prepared)
    except Cancelled:
        st.stop()  # The visitor has left.
    except Misfit as error:
        with problem:
            _explain(error)
        return None
    st.session_state[_KEY] = Own(model.name, weights.name, architecture, names.name if names else "", prepared)
    return model if head is None else model.with_head(head)


def _load_once(
    weights: UploadedFile,
    names: UploadedFile | None,
    key: tuple[str, ...],
    precision: Precision,
    kind: HeadKind | None,
    prepared: dict[str, Any],
) -> Model:
    """Return what ``_load`` does; what was refused is not read once more at each run of the page."""
    asked = (key[:3], kind, prepared)
    refused: tuple[object, WeightsRefused] | None = st.session_state.get(_REFUSED)
    if refused is not None and refused[0] == asked:
        raise refused[1].with_traceback(None)
    try:
        model = _load(weights, names, key, precision, kind, prepared)
    except WeightsRefused as error:
        # Without what led to it, which holds the file's tensors.
        error.__cause__ = error.__context__ = None
        st.session_state[_REFUSED] = asked, error.with_traceback(None)
        raise
    size = model_bytes(model.network, model.instrument.network)
    # Not with the file in hand: what forgets a model would keep it.
    models().used((_load, model.key, key), size, partial(_load.clear, None, None, key, precision, kind, prepared))
    return model


def _explain(error: Misfit) -> None:
    """Say that a file does not fit, in a sentence, and offer the architectures that it is for."""
    advice = re.sub(r" \(--arch [^)]*\)", "", error.advice)
    st.error(plain(f"{error.name} does not fit {error.called}. {error.counts} {advice}"))
    with st.container(horizontal=True, vertical_alignment="center"):
        for name in error.better:
            st.button(
                plain(f"Choose {name}"),
                key=f"choose_{name}",
                type="primary" if name == error.better[0] else "secondary",
                on_click=_choose_architecture,
                args=(name,),
            )
        with st.popover("Which tensors differ", icon=":material/list:", type="tertiary"):
            st.text(error.differs)


def _explain_head(error: HeadMismatch, head: Head | None, names: UploadedFile | None) -> None:
    """Say that what the outputs mean, or their names, do not fit; the network is shown without them."""
    left = " and ".join(["the head"] * (head is not None) + ["the names of classes"] * (names is not None))
    st.warning(plain(f"{error} The network is shown without {left}; correct it in the sidebar."))
    if head is not None:
        st.button(f"Set the head to {heads.UNSAID}", key="head_back", type="primary", on_click=heads.forget)


def _choose_architecture(name: str) -> None:
    st.session_state["own_architecture"] = name


def _prepared() -> dict[str, Any]:
    """How images are prepared, where it is not as the architecture's own weights have it."""
    with st.popover("Preparation of images", icon=":material/tune:", type="tertiary"):
        size = st.number_input(
            "Side of the input, pixels",
            16,
            1024,
            value=None,
            step=1,
            placeholder=_ITS_OWN,
            key="own_size",
            persist_state="session",
        )
        scaled = st.selectbox("Values are scaled by", [_ITS_OWN, *_SCALES], key="own_scale", persist_state="session")
    prepared: dict[str, Any] = {"size": size} if size else {}
    return prepared | ({} if scaled == _ITS_OWN else dict(zip(("mean", "std"), _SCALES[scaled], strict=True)))
