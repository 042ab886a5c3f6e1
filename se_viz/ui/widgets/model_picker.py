"""The choice of a model, by name in the selection bar or from a file in the sidebar; its head, device and precision."""

from typing import get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from se_viz.demo import pretrained
from se_viz.device.devices import DeviceMissing, Precision, available, device_name, resolve
from se_viz.device.memory import DeviceFull, memory
from se_viz.model.model import Model
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state.models import FULL, fall_back, named
from se_viz.ui.state.uploaded_model import called
from se_viz.ui.widgets import checkpoint_picker, choice, download_weights, head_picker
from se_viz.ui.widgets.selection_bar import SelectionBar
from se_viz.weights.head import Head
from se_viz.wording import counted
from se_viz.zoo import registry
from se_viz.zoo.registry import UnknownModel

_ORIGINS = ("by name", "your weights")
_FROM_LINK = "weights_of_link"  # in the session: whether the link that opened the page was made with weights of a file


def choose(problem: DeltaGenerator, bar: SelectionBar) -> Model | None:
    """Return the chosen model, loaded on the chosen device in the chosen precision.

    Args:
        problem: a container of the page for an error in loading the model, and what to do about it.
        bar: the selection bar, with the list of names, or the name of the user's weights.

    Returns:
        The model; None if the container shows an error, or the sidebar shows what is still to be chosen.
    """
    names = list(registry.names())
    if not names:
        problem.error(
            f"There is no model: {pretrained.folder()} contains no card. Install SE Viz again, or train a model with "
            "`se-viz train`."
        )
        return None
    opened = _FROM_LINK not in st.session_state
    origin = choice.choose("Network", _ORIGINS, "origin", segmented=True, message_in=problem, width="stretch")
    if opened:
        st.session_state[_FROM_LINK] = origin == _ORIGINS[1]
    chosen = st.container()
    head = head_picker.choose()
    device = choice.choose("Device", ["auto", *available()], "device", message_in=problem)
    precision = choice.choose(
        "Precision",
        get_args(Precision),
        "precision",
        segmented=True,
        message_in=problem,
        width="stretch",
        help="Number format in which the network computes. bf16 is faster on processors with bf16 instructions, and "
        "changes s by 0.0006 on average (demo/r16); fp16 is for GPUs.",
    )
    with chosen:
        try:
            place = _with_room(str(resolve(device)))
        except DeviceMissing as error:
            problem.error(escape_markdown(str(error)))
            return None
        try:
            model = _chosen(names, origin, place, precision, head, problem, bar)
        except DeviceFull as error:
            fall_back(place, error)
            return None
        except (UnknownModel, ValueError) as error:
            problem.error(escape_markdown(str(error)))
            return None
    if model is not None:
        st.caption(escape_markdown(_about(model)))
    return model


def _chosen(
    names: list[str],
    origin: str,
    device: str,
    precision: Precision,
    head: Head | None,
    problem: DeltaGenerator,
    bar: SelectionBar,
) -> Model | None:
    if origin == _ORIGINS[1]:
        model = checkpoint_picker.choose(device, precision, head, problem)
        if model is None and st.session_state[_FROM_LINK]:
            problem.info(
                "This link was made with weights that are not part of it: choose the same file in the sidebar."
            )
        bar.model.caption(escape_markdown(called(model) if model else _ORIGINS[1]))
        return model
    st.caption(
        "Choose a model in the bar below the title. Type there to search the demo models, and the models of timm and "
        "torchvision that have channel gates."
    )
    name = bar.choose_model(names, "demo/r16" if "demo/r16" in names else names[0], problem)
    if registry.pretrained(name):
        with problem:
            if not download_weights.ensure_weights(name):
                return None
    model = named(name, device, precision)
    # Sessions share the model, but each session has its own head.
    return model if head is None else model.with_head(head)


def _with_room(device: str) -> str:
    """Return the device, or the CPU if the device was full in this session and the user has not chosen to try again."""
    full: tuple[str, str] | None = st.session_state.get(FULL)
    if full is None or full[0] != device:
        return device
    # Without the error's advice, as the page already follows it.
    st.warning(escape_markdown(f"{full[1].partition(': ')[0].rstrip('.')}. It runs on the CPU instead."))
    st.button(escape_markdown(f"Try {device} again"), key="try_again", on_click=st.session_state.pop, args=(FULL, None))
    return "cpu"


def _about(model: Model) -> str:
    gates = counted(len(model.gates), "gate")
    room = memory(model.device)
    free = f", {room.free / 1e9:.1f} of {room.total / 1e9:.1f} GB free" if room else ""
    height, width = model.preprocess.crop
    where = f"input {height} × {width}, {model.precision} on {model.device} ({device_name(model.device)}{free})"
    return f"{model.about or model.name}. {gates}, {where}."
