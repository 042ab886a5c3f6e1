"""Values of walk-throughs and facts of networks that reruns and sessions share."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

import streamlit as st

from se_viz.analysis.cost import Cost, cost
from se_viz.analysis.walk import trace_values
from se_viz.data.images import InputImage
from se_viz.device.memory import raise_if_full
from se_viz.gates.block import Block, block_of
from se_viz.gates.block_values import BlockValues
from se_viz.gates.capture import GateCapture
from se_viz.model.model import Model
from se_viz.ui.state.models import take_turn

T = TypeVar("T")

_KEY: dict[str | type[Any], Callable[[Any], Any]] = {
    Model: attrgetter("key"),
    InputImage: attrgetter("sha256"),
    GateCapture: attrgetter("gate.name"),
}


@st.cache_resource(max_entries=24, show_spinner="Tracing the block …", hash_funcs=_KEY)
def values(model: Model, image: InputImage, gate_capture: GateCapture) -> BlockValues:
    """Return the values of an image on the path through the block of a gate; the channel does not matter."""
    return _in_turn(model, lambda: trace_values(model, image, gate_capture))


@st.cache_resource(max_entries=16, show_spinner="Counting the network …", hash_funcs=_KEY)
def network_cost(model: Model) -> Cost:
    """Return the cost of a network and its gates."""
    return _in_turn(model, lambda: cost(model.network, model.preprocess.crop[0], model.gates))


@st.cache_resource(max_entries=256, show_spinner="Tracing the block …", hash_funcs=_KEY)
def block(model: Model, gate: str) -> Block:
    """Return the parts of the block of a gate."""
    return _in_turn(model, lambda: block_of(model.network, model.gate(gate), model.preprocess.crop))


def _in_turn(model: Model, work: Callable[[], T]) -> T:
    """Do work on the device of a model when its turn has come."""

    def run() -> T:
        with raise_if_full(model.device, "one image"):
            return work()

    return take_turn(model, run)
