"""The choice of weights that a visitor uploads for an architecture of timm or torchvision."""

import re
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from se_viz.data.preprocess import IMAGENET_MEAN, IMAGENET_STD
from se_viz.device.devices import Precision
from se_viz.model.model import Model
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import uploaded_model
from se_viz.ui.state.interrupted_runs import sent_again
from se_viz.ui.state.uploaded_model import CheckpointInputs
from se_viz.ui.state.uploads import upload
from se_viz.ui.widgets import head_picker
from se_viz.weights import state_dict
from se_viz.weights.errors import Cancelled, Misfit
from se_viz.weights.head import Head, HeadMismatch
from se_viz.zoo import gate_index, registry
from se_viz.zoo.architecture_arguments import from_stranger

LARGEST_FILE = 250  # MB; the limit of the server, see .streamlit/config.toml
_DEFAULT = "default of the architecture"
_SCALES = {
    "ImageNet mean and SD": (IMAGENET_MEAN, IMAGENET_STD),
    "mean 0.5 and SD 0.5: −1 … 1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "mean 0 and SD 1: 0 … 1": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


@st.cache_resource(show_spinner=False)
def _architectures() -> list[str]:
    return [name for name in registry.architectures() if gate_index.bundled_gates()[name].gates]


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
            model = uploaded_model.load_once(weights, names, key, precision, head.kind if head else None, prepared)
        except HeadMismatch as error:
            with problem:
                _explain_head(error, head, names)
            head = names = None
            model = uploaded_model.load(weights, None, (key[0], "", *key[2:]), precision, None, prepared)
    except Cancelled:
        st.stop()  # The visitor has left.
    except Misfit as error:
        with problem:
            _explain(error)
        return None
    named = names.name if names else ""
    uploaded_model.remember(CheckpointInputs(model.name, weights.name, architecture, named, prepared))
    return model if head is None else model.with_head(head)


def _fields() -> tuple[str | None, UploadedFile | None, UploadedFile | None, str]:
    """Draw the fields, and return the architecture, the files of weights and of class names, and the arguments."""
    architecture = st.selectbox(
        "Architecture",
        _architectures(),
        index=None,
        placeholder="Search timm and torchvision",
        key=sent_again("own_architecture"),
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
        key=sent_again("own_arguments"),
        placeholder="rd_ratio=0.25, act_layer=relu",
        max_chars=500,
        persist_state="session",
        help="Needed only if the network was not made with the default arguments: key=value, key=value, or JSON. "
        "Values are numbers, true, false, null, words and lists of these. The number of classes is read from the file.",
    )
    return architecture, weights, names, arguments


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
            key=sent_again("own_size"),
            persist_state="session",
        )
        scaled = st.selectbox(
            "Normalisation", [_DEFAULT, *_SCALES], key=sent_again("own_scale"), persist_state="session"
        )
    prepared: dict[str, Any] = {"size": size} if size else {}
    return prepared | ({} if scaled == _DEFAULT else dict(zip(("mean", "std"), _SCALES[scaled], strict=True)))
