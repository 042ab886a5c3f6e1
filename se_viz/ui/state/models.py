"""Models that sessions share: one for each name, device and precision, a few at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import streamlit as st
import torch

from se_viz.device.devices import Precision
from se_viz.device.memory import DeviceFull
from se_viz.device.transfer import moved
from se_viz.model.loading import load
from se_viz.model.model import Model
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import device_queue
from se_viz.ui.state.cache_budget import model_bytes, models, release_model
from se_viz.zoo import registry
from se_viz.zoo.registry import Network

T = TypeVar("T")

_KEPT = 3
_MOST_DEMO_MODELS = 16
FULL = "full_device"  # in the session: a device whose memory was full, and the error message


@st.cache_resource(max_entries=_KEPT, on_release=release_model, show_spinner="Loading the model …")
def _load(name: str, device: str, precision: Precision) -> Model:
    return load(name, device, precision)


@st.cache_resource(max_entries=_MOST_DEMO_MODELS, on_release=release_model, show_spinner="Loading the demo models …")
def _member(name: str, device: str) -> Model:
    return load(name, device)


def named(name: str, device: str, precision: Precision) -> Model:
    """Return a model by its name."""
    model = _load(name, device, precision)
    size = model_bytes(model.network, model.instrument.network)
    models().used((_load, name, device, precision), size, partial(_load.clear, name, device, precision))
    return model


def exact(model: Model) -> Model:
    """Return the same network in fp32, the precision of the bundled files; return a checkpoint's model as it is."""
    listed = model.precision != "fp32" and model.name in registry.names()
    with with_cpu_fallback(str(model.device)):
        return named(model.name, str(model.device), "fp32") if listed else model


def member(name: str, device: str) -> Model:
    """Return a demo model to compare with; the demo models have a cache apart from that of the chosen model."""
    with with_cpu_fallback(device):
        model = _member(name, device)
    size = model_bytes(model.network, model.instrument.network)
    models().used((_member, name, device), size, partial(_member.clear, name, device))
    return model


def plain_member(name: str, device: str) -> Network:
    """Return a demo model without gates; only its predictions are compared."""
    with with_cpu_fallback(device):
        network = _plain_member(name, device)
    size = model_bytes(network.module)
    models().used((_plain_member, name, device), size, partial(_plain_member.clear, name, device))
    return network


@st.cache_resource(max_entries=_MOST_DEMO_MODELS, show_spinner="Loading the demo models …")
def _plain_member(name: str, device: str) -> Network:
    network = registry.build(name)
    moved(network.module, torch.device(device), name)
    return network


def fall_back(device: str, error: DeviceFull) -> None:
    """Run the page again on the CPU after a device was full; if it was the CPU, show the error."""
    if device == "cpu":
        st.error(escape_markdown(str(error)))
        return
    st.session_state[FULL] = (device, str(error))
    st.rerun()


def take_turn(model: Model, work: Callable[[], T]) -> T:
    """Do work on the device of a model when its turn has come, and return its result; see ``with_cpu_fallback``."""
    with with_cpu_fallback(str(model.device)):
        return device_queue.take(work, str(model.device))


@contextmanager
def with_cpu_fallback(device: str) -> Iterator[None]:
    """Run the page again on the CPU if the device is full inside the block; see ``fall_back``."""
    try:
        yield
    except DeviceFull as error:
        fall_back(device, error)
        st.stop()
