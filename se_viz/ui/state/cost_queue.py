"""The cost of networks for the page: counted and timed in the queue of the CPU, one network at a time."""

from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial

import streamlit as st
import torch
from torch import nn

from se_viz.analysis.cost import Cost, cost, without_gates
from se_viz.analysis.latency import latencies_ms
from se_viz.analysis.networks_without_gates import (
    NETWORKS,
    NetworkWithoutGates,
    network_without_gates,
    without_weights,
)
from se_viz.gates.find import find_gates
from se_viz.gates.insert_gates import insert_gates
from se_viz.ui.state import device_queue
from se_viz.weights.meta_model import LARGEST
from se_viz.zoo import libraries, registry
from se_viz.zoo.memory_check import check_memory

CPU = "cpu"

Times = dict[tuple[int, ...], float]
"""Milliseconds for one image by the choice of gated stages."""


class NetworkTooLarge(ValueError):
    """Error for a network that is too large for this page; the message names the command that counts it."""


@st.cache_resource(show_spinner=False, max_entries=16)
def ungated(network: str) -> Future[NetworkWithoutGates]:
    """Return the counts of a network without gates, and of the gates that can be inserted into it."""
    return device_queue.line(CPU).submit(partial(network_without_gates, network))


@st.cache_resource(show_spinner=False, max_entries=16)
def counted(network: str) -> Future[tuple[Cost, int]]:
    """Return the cost of a network with gates, and the size of its images in pixels.

    Raises, from the future:
        NetworkTooLarge: it has more parameters than the limit of this page.
        DeviceFull: this machine has no memory for it now.
    """

    def count() -> tuple[Cost, int]:
        module, side = _without_weights(network)
        return cost(module, side), side

    return device_queue.line(CPU).submit(count)


@st.cache_resource(show_spinner=False, max_entries=64)
def times(network: str, r: int, choices: tuple[tuple[int, ...], ...]) -> Future[Times]:
    """Return the times of a network with the gates of some stages only; raises as ``counted`` does."""
    return device_queue.line(CPU).submit(partial(_timed, network, r, choices))


def _without_weights(network: str) -> tuple[nn.Module, int]:
    """Return a network and the size of its images in pixels; weights do not matter here, so none are downloaded.

    Raises:
        NetworkTooLarge: it has more parameters than the limit of this page.
        DeviceFull: this machine has no memory for it now.
    """
    params = registry.params(network)
    if params is not None and params > LARGEST:
        raise NetworkTooLarge(
            f"{network} has {params / 1e6:,.0f} M parameters, and this tab counts networks of up to "
            f"{LARGEST / 1e6:,.0f} M. Choose a smaller one, or run `python -m se_viz cost {network}` on your machine."
        )
    check_memory(network, torch.device(CPU))
    if not registry.pretrained(network):
        built = registry.build(network)
        return built.module, built.preprocess.crop[0]
    source, architecture, tag = libraries.find(network)
    return source.create(architecture).eval(), source.preprocess(architecture, tag).crop[0]


def _timed(network: str, r: int, choices: Iterable[tuple[int, ...]]) -> Times:
    side, networks = with_gates_of(network, r, choices)
    return latencies_ms(networks, side)


def with_gates_of(
    network: str, r: int, choices: Iterable[tuple[int, ...]]
) -> tuple[int, dict[tuple[int, ...], nn.Module]]:
    """Return the size of the images in pixels, and networks with the same weights, by the choice of gated stages."""
    if network in NETWORKS:
        side = NETWORKS[network]
        plain = without_weights(network)
        return side, {
            stages: insert_gates(plain, r, where=set(stages), size=side) if stages else plain for stages in choices
        }
    module, side = _without_weights(network)
    gates = find_gates(module, side)
    return side, {
        stages: without_gates(module, [gate for gate in gates if gate.stage not in stages]) for stages in choices
    }
