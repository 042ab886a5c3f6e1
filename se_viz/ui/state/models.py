"""Models that sessions share: one per name, device and precision, a few at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import get_args

import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator

from se_viz.demo import pretrained as demo
from se_viz.device.devices import DeviceMissing, Precision, available, device_name, resolve
from se_viz.device.memory import DeviceFull, memory
from se_viz.device.transfer import moved
from se_viz.model.loading import load
from se_viz.model.model import Model
from se_viz.ui.markdown import plain
from se_viz.ui.state.cache_budget import model_bytes, models, release_model
from se_viz.ui.widgets import checkpoint_picker as own
from se_viz.ui.widgets import download_weights as fetching
from se_viz.ui.widgets import head_picker as heads
from se_viz.weights.head import Head
from se_viz.zoo import registry as catalogue
from se_viz.zoo.registry import Network, UnknownModel

_KEPT = 3
_FAMILY = 16
_FULL = "full_device"  # in the session: a device that had no room, and what was said about it


@st.cache_resource(max_entries=_KEPT, on_release=release_model, show_spinner="Loading the model …")
def _load(name: str, device: str, precision: Precision) -> Model:
    return load(name, device, precision)


@st.cache_resource(max_entries=_FAMILY, on_release=release_model, show_spinner="Loading the demo models …")
def _member(name: str, device: str) -> Model:
    return load(name, device)


def _listed(name: str, device: str, precision: Precision) -> Model:
    model = _load(name, device, precision)
    size = model_bytes(model.network, model.instrument.network)
    models().used((_load, name, device, precision), size, partial(_load.clear, name, device, precision))
    return model


def exact(model: Model) -> Model:
    """The same network in fp32, in which what ships was measured; the model itself where its name says nothing."""
    listed = model.precision != "fp32" and model.name in catalogue.names()
    with with_cpu_fallback(str(model.device)):
        return _listed(model.name, str(model.device), "fp32") if listed else model


def member(name: str, device: str) -> Model:
    """A demo model beside the chosen one; they are small, and kept apart so that they do not displace it."""
    with with_cpu_fallback(device):
        model = _member(name, device)
    size = model_bytes(model.network, model.instrument.network)
    models().used((_member, name, device), size, partial(_member.clear, name, device))
    return model


def plain_member(name: str, device: str) -> Network:
    """A demo model without gates, which is none to look into, but has predictions to compare."""
    with with_cpu_fallback(device):
        network = _plain_member(name, device)
    size = model_bytes(network.module)
    models().used((_plain_member, name, device), size, partial(_plain_member.clear, name, device))
    return network


@st.cache_resource(max_entries=_FAMILY, show_spinner="Loading the demo models …")
def _plain_member(name: str, device: str) -> Network:
    network = catalogue.build(name)
    moved(network.module, torch.device(device), name)
    return network


def choose(problem: DeltaGenerator) -> Model | None:
    """The sidebar's choice of model, device and precision, loaded.

    Args:
        problem: a container of the page, for what keeps a model from being loaded, and for what to do.

    Returns:
        The model; None where the container says why there is none, or the sidebar what to choose.
    """
    names = list(catalogue.names())
    if not names:
        problem.error(
            f"There is no model: {demo.folder()} holds no card. Install SE Viz again, or train one with `se-viz train`."
        )
        return None
    origin = st.segmented_control(
        "Network", ["by name", "your weights"], default="by name", key="origin", required=True, width="stretch"
    )
    chosen = st.container()
    head = heads.choose()
    device = st.selectbox("Device", ["auto", *available()], key="device", bind="query-params")
    precision = st.segmented_control(
        "Precision",
        get_args(Precision),
        default="fp32",
        key="precision",
        bind="query-params",
        required=True,
        width="stretch",
        help="What the network computes in. bf16 is faster where the processor multiplies it, and moves s by 0.0006 "
        "in the mean (demo/r16); fp16 is for GPUs.",
    )
    with chosen:
        try:
            place = _with_room(str(resolve(device)))
        except DeviceMissing as error:
            problem.error(plain(str(error)))
            return None
        try:
            model = _chosen(names, origin, place, precision, head, problem)
        except DeviceFull as error:
            fall_back(place, error)
            return None
        except (UnknownModel, ValueError) as error:
            problem.error(plain(str(error)))
            return None
    if model is not None:
        st.caption(plain(_about(model)))
    return model


def _chosen(
    names: list[str], origin: str, device: str, precision: Precision, head: Head | None, problem: DeltaGenerator
) -> Model | None:
    if origin == "your weights":
        return own.choose(device, precision, head, problem)
    name = st.selectbox(
        "Model",
        names,
        index=names.index("demo/r16") if "demo/r16" in names else 0,
        key="model",
        bind="query-params",
        help="Type to search: the demo models, and those of timm and torchvision that have channel gates.",
    )
    if catalogue.pretrained(name):
        with problem:
            if not fetching.there(name):
                return None
    model = _listed(name, device, precision)
    # Sessions share the model, and each says for itself what its outputs mean.
    return model if head is None else model.with_head(head)


def fall_back(device: str, error: DeviceFull) -> None:
    """Run the page again on the CPU, as a device turned out to be full; where it is the CPU that is, say so."""
    if device == "cpu":
        st.error(plain(str(error)))
        return
    st.session_state[_FULL] = (device, str(error))
    st.rerun()


@contextmanager
def with_cpu_fallback(device: str) -> Iterator[None]:
    """Run the page again on the CPU if the device turns out to be full inside the block; see ``fall_back``."""
    try:
        yield
    except DeviceFull as error:
        fall_back(device, error)
        st.stop()


def _with_room(device: str) -> str:
    """The device, or the CPU in its place if this session found it full and has not asked to try again."""
    found: tuple[str, str] | None = st.session_state.get(_FULL)
    if found is None or found[0] != device:
        return device
    # Without what to do about it, which this does.
    st.warning(plain(f"{found[1].partition(': ')[0].rstrip('.')}. It runs on the CPU instead."))
    st.button(plain(f"Try {device} again"), key="try_again", on_click=st.session_state.pop, args=(_FULL, None))
    return "cpu"


def _about(model: Model) -> str:
    gates = f"{len(model.gates)} {'gate' if len(model.gates) == 1 else 'gates'}"
    room = memory(model.device)
    free = f", {room.free / 1e9:.1f} of {room.total / 1e9:.1f} GB free" if room else ""
    height, width = model.preprocess.crop
    where = f"input {height} × {width}, {model.precision} on {model.device} ({device_name(model.device)}{free})"
    return f"{model.about or model.name}. {gates}, {where}."
