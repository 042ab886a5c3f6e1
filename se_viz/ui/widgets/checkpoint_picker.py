"""Weights that a visitor uploads for an architecture of timm or torchvision."""

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
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state.cache_budget import model_bytes, models, release_model
from se_viz.ui.state.uploads import upload
from se_viz.ui.state.visitor import leaving
from se_viz.ui.widgets import head_picker
from se_viz.weights import state_dict
from se_viz.weights.class_names import read_classes
from se_viz.weights.errors import Cancelled, Misfit, WeightsRefused
from se_viz.weights.head import Head, HeadKind, HeadMismatch
from se_viz.zoo import gate_index, registry
from se_viz.zoo.architecture_arguments import from_stranger

LARGEST_FILE = 250  # MB; the limit of the server, see .streamlit/config.toml
_LARGEST = 100_000_000  # parameters
_KEY = "own_model"
_REFUSED = "own_refused"  # in the session: the choice that was refused, and the error
_DEFAULT = "default of the architecture"
_SCALES = {
    "ImageNet mean and SD": (IMAGENET_MEAN, IMAGENET_STD),
    "mean 0.5 and SD 0.5: −1 … 1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "mean 0 and SD 1: 0 … 1": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
_one = Lock()


@dataclass(frozen=True)
class CheckpointInputs:
    """The inputs of a model from an upload: names of its files and its architecture, and its preprocessing.

    ``prepared`` contains arguments of ``load_checkpoint``: size, mean and std, and arguments; the architecture's
    defaults apply to what is missing.
    """

    name: str
    weights: str
    architecture: str
    classes: str
    prepared: dict[str, Any]


def loaded(model: Model) -> CheckpointInputs | None:
    """Return the inputs of the session's uploaded model; None for any other model."""
    own: CheckpointInputs | None = st.session_state.get(_KEY)
    return own if own is not None and own.name == model.name else None


@st.cache_resource(show_spinner=False)
def _architectures() -> list[str]:
    return [name for name in registry.architectures() if gate_index.shipped()[name].gates]


# The key has the upload's id, so that 200 MB are not hashed at every rerun. Only two entries, as they are large.
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
    # One at a time, as reading takes several times the size of the file in memory.
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
    # One file may fit two architectures that differ only in parts without weights, such as padding.
    made_of = hashlib.sha256(_weights.getvalue() + f"{architecture} {prepared}".encode())
    model.name = f"{_weights.name} {made_of.hexdigest()[:16]}"
    return model


def called(model: Model) -> str:
    """Return the name of a model for sentences: an uploaded model has the name of its file, without the hash."""
    own = loaded(model)
    return model.name if own is None else own.weights


def choose(device: str, precision: Precision, head: Head | None, problem: DeltaGenerator) -> Model | None:
    """Ask for architecture and files, and return the model, or None if one of them is missing.

    Args:
        device, precision: the device and the precision of the network.
        head: the meaning of its outputs, if it was chosen.
        problem: a container of the page for the error about a file that does not fit, and what to choose instead.

    Raises:
        ValueError: the file is refused, or the network has no gate that can be read; the message has the reason.
    """
    state_dict.warm()
    architecture, weights, names, arguments = _fields()
    prepared = _prepared()
    if written := from_stranger(arguments):
        prepared["arguments"] = written
    if architecture is None or weights is None:
        st.caption("The architecture must be the one from which the weights were saved; its classifier may differ.")
        return None
    key = (weights.file_id, names.file_id if names else "", architecture, device)
    try:
        try:
            # The key has the kind of head, as another kind takes other class names.
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
    st.session_state[_KEY] = CheckpointInputs(
        model.name, weights.name, architecture, names.name if names else "", prepared
    )
    return model if head is None else model.with_head(head)


def _fields() -> tuple[str | None, UploadedFile | None, UploadedFile | None, str]:
    """Draw the fields, and return the architecture, the files of weights and of class names, and the arguments."""
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
        help="A safetensors file, or a state dict of torch.save. No code in it is run, and it is not stored on disk.",
    )
    names = upload(
        "Class names (optional)",
        ["txt", "json"],
        key="own_classes",
        megabytes=4,
        help="One class name per line in the order of the logits, or JSON. For a binary head: the names of no and yes, "
        "or only that of yes.",
    )
    arguments = st.text_input(
        "Arguments of the architecture (optional)",
        key="own_arguments",
        placeholder="rd_ratio=0.25, act_layer=relu",
        max_chars=500,
        persist_state="session",
        help="Needed only if the network was not made with the default arguments: key=value, key=value, or JSON. "
        "Values are numbers, true, false, null, words and lists of these. The number of classes is read from the file.",
    )
    return architecture, weights, names, arguments


def _load_once(
    weights: UploadedFile,
    names: UploadedFile | None,
    key: tuple[str, ...],
    precision: Precision,
    kind: HeadKind | None,
    prepared: dict[str, Any],
) -> Model:
    """Return the model of ``_load``; a file that was refused is not read again at each run of the page."""
    asked = (key[:3], kind, prepared)
    refused: tuple[object, WeightsRefused] | None = st.session_state.get(_REFUSED)
    if refused is not None and refused[0] == asked:
        raise refused[1].with_traceback(None)
    try:
        model = _load(weights, names, key, precision, kind, prepared)
    except WeightsRefused as error:
        # Without cause and context, which hold the file's tensors.
        error.__cause__ = error.__context__ = None
        st.session_state[_REFUSED] = asked, error.with_traceback(None)
        raise
    size = model_bytes(model.network, model.instrument.network)
    # Without the file: the callback that removes a model would keep it alive.
    models().used((_load, model.key, key), size, partial(_load.clear, None, None, key, precision, kind, prepared))
    return model


def _explain(error: Misfit) -> None:
    """Show that a file does not fit, in a sentence, and offer the architectures that it fits."""
    advice = re.sub(r" \(--arch [^)]*\)", "", error.advice)
    st.error(escape_markdown(f"{error.name} does not fit {error.called}. {error.counts} {advice}"))
    with st.container(horizontal=True, vertical_alignment="center"):
        for name in error.better:
            st.button(
                escape_markdown(f"Choose {name}"),
                key=f"choose_{name}",
                type="primary" if name == error.better[0] else "secondary",
                on_click=_choose_architecture,
                args=(name,),
            )
        with st.popover("Which tensors differ", icon=":material/list:", type="tertiary"):
            st.text(error.differs)


def _explain_head(error: HeadMismatch, head: Head | None, names: UploadedFile | None) -> None:
    """Show that the head or the class names do not fit; the network is shown without them."""
    ignored = " and ".join(["the head"] * (head is not None) + ["the class names"] * (names is not None))
    st.warning(escape_markdown(f"{error} The network is shown without {ignored}; correct this in the sidebar."))
    if head is not None:
        st.button(f"Set the head to {head_picker.UNSAID}", key="head_back", type="primary", on_click=head_picker.forget)


def _choose_architecture(name: str) -> None:
    st.session_state["own_architecture"] = name


def _prepared() -> dict[str, Any]:
    """Return the arguments of ``load_checkpoint`` for preprocessing that differs from the architecture's default."""
    with st.popover("Preprocessing", icon=":material/tune:", type="tertiary"):
        size = st.number_input(
            "Input size in pixels",
            16,
            1024,
            value=None,
            step=1,
            placeholder=_DEFAULT,
            key="own_size",
            persist_state="session",
        )
        scaled = st.selectbox("Normalisation", [_DEFAULT, *_SCALES], key="own_scale", persist_state="session")
    prepared: dict[str, Any] = {"size": size} if size else {}
    return prepared | ({} if scaled == _DEFAULT else dict(zip(("mean", "std"), _SCALES[scaled], strict=True)))
