"""What SE costs a network: parameters and multiply-accumulates by stage at any r, and the time it takes here."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import pandas as pd
import streamlit as st
import torch
from torch import nn
from torchvision.models import get_model

from se_viz.analysis.cost import NETWORKS, Cost, Sites, cost, gated_sites, milliseconds, se_weights, without_gates
from se_viz.device.memory import DeviceFull
from se_viz.gates.find import find_gates
from se_viz.gates.insert_gates import insert_gates
from se_viz.gates.macs import RULE, not_counted
from se_viz.ui.markdown import plain
from se_viz.ui.state import device_queue as turns
from se_viz.weights.meta_model import LARGEST
from se_viz.zoo import libraries as sources
from se_viz.zoo import registry as catalogue
from se_viz.zoo.device_room import check_memory

T = TypeVar("T")

_RATIOS = (1, 2, 4, 8, 16, 32, 64)
_COLUMNS = {
    "parameters": st.column_config.NumberColumn(format="localized"),
    "MACs": st.column_config.NumberColumn(format="localized"),
}


_CPU = "cpu"
_ASKED = "asked_time"  # in the session: the network and the gates whose time is wanted
_ROUNDS = 5  # in which networks are timed in turns, a second each in all
_Times = dict[tuple[int, ...], float]


class TooLarge(ValueError):
    """A network that this page does not build; the message says where it can be counted."""


# What builds networks stands in the line before the processor: one is there at a time, and is timed alone.
@st.cache_resource(show_spinner=False, max_entries=16)
def _sites(network: str) -> Future[Sites]:
    return turns.line(_CPU).submit(partial(gated_sites, network))


@st.cache_resource(show_spinner=False, max_entries=16)
def _own(network: str) -> Future[tuple[Cost, int]]:
    def count() -> tuple[Cost, int]:
        module, side = _blank(network)
        return cost(module, side), side

    return turns.line(_CPU).submit(count)


@st.cache_resource(show_spinner=False, max_entries=64)
def _times(network: str, r: int, choices: tuple[tuple[int, ...], ...]) -> Future[_Times]:
    return turns.line(_CPU).submit(partial(_timed, network, r, choices))


def _blank(network: str) -> tuple[nn.Module, int]:
    """A network and the side of its images; its weights do not matter here, so none are fetched.

    Raises:
        TooLarge: it has more parameters than a visitor may have the server hold.
        DeviceFull: this machine has no memory for it now.
    """
    params = catalogue.params(network)
    if params is not None and params > LARGEST:
        raise TooLarge(
            f"{network} has {params / 1e6:,.0f} M parameters, and this page counts networks of up to "
            f"{LARGEST / 1e6:,.0f} M: choose a smaller one, or run `python -m se_viz cost {network}` on a machine of "
            "your own."
        )
    check_memory(network, torch.device(_CPU))
    if not catalogue.pretrained(network):
        built = catalogue.build(network)
        return built.module, built.preprocess.crop[0]
    source, architecture, tag = sources.find(network)
    return source.create(architecture).eval(), source.preprocess(architecture, tag).crop[0]


def _timed(network: str, r: int, choices: Iterable[tuple[int, ...]]) -> _Times:
    """Milliseconds of one image with the gates of some stages, for several choices of them, in turns."""
    side, networks = _with_gates_of(network, r, choices)
    # The best round of each: what else the machine does only ever adds, and so does a cold start.
    rounds = [[milliseconds(one, side, 1 / _ROUNDS) for one in networks.values()] for _ in range(_ROUNDS)]
    return {stages: min(times) for stages, times in zip(networks, zip(*rounds, strict=True), strict=True)}


def _with_gates_of(
    network: str, r: int, choices: Iterable[tuple[int, ...]]
) -> tuple[int, dict[tuple[int, ...], nn.Module]]:
    """The side of the images, and networks of the same weights with the gates of some stages."""
    if network in NETWORKS:
        side = NETWORKS[network]
        options = {} if network.startswith("res") else {"init_weights": False}
        plain = get_model(network, weights=None, **options).eval()
        return side, {
            stages: insert_gates(plain, r, where=set(stages), size=side) if stages else plain for stages in choices
        }
    module, side = _blank(network)
    gates = find_gates(module, side)
    return side, {
        stages: without_gates(module, [gate for gate in gates if gate.stage not in stages]) for stages in choices
    }


def _finished(make: Callable[[], Future[T]], forget: Callable[[], object], doing: str) -> T:
    """What a calculation gives when its turn has come; one that failed is not kept."""
    place = st.empty()

    def show(ahead: int) -> None:
        waiting = f"Waiting for the processor: {ahead} {'reading comes' if ahead == 1 else 'readings come'} first."
        place.caption(waiting if ahead else doing)

    try:
        return turns.wait(make(), _CPU, show)
    except Exception:
        forget()
        raise
    finally:
        place.empty()


@st.fragment
def show() -> None:
    """Draw the calculator."""
    st.header("What SE costs a network", anchor=False)
    left, middle, right = st.columns(3, gap="medium", vertical_alignment="bottom")
    network = left.selectbox("Network", [*NETWORKS, *catalogue.names()], key="network", bind="query-params")
    given = network in NETWORKS
    r = middle.select_slider(
        "Reduction ratio r",
        _RATIOS,
        value=16,
        key="ratio",
        bind="query-params",
        disabled=not given,
        help=None if given else "This network has gates of its own, with their own r.",
    )
    last = right.toggle("Gates in the last stage", value=True, key="last", bind="query-params")
    try:
        if given:
            _inserted(network, r, last=last)
        else:
            _found(network, last=last)
    except (TooLarge, DeviceFull) as error:
        st.warning(plain(str(error)))


def _inserted(network: str, r: int, *, last: bool) -> None:
    sites = _finished(partial(_sites, network), partial(_sites.clear, network), "Counting the network …")
    blocks = _kept(sites.channels, last=last)
    added = {stage: se_weights(((1, c) for c in channels), r) for stage, channels in blocks.items()}
    _totals(sites.params, sites.macs, sum(added.values()), sum(added.values()))
    _table(blocks, added, added, sites.params)
    terms = " + ".join(
        rf"{len(channels)} \cdot {channels[0]}^2" if len(set(channels)) == 1 else rf"\sum_{{{len(channels)}}} C^2"
        for channels in blocks.values()
    )
    total = sum(added.values())
    st.latex(
        rf"\frac{{2}}{{r}} \sum_s N_s C_s^2 = \frac{{2}}{{{r}}} \left({terms}\right) = {total:,}".replace(",", "{,}")
    )
    st.caption("The paper's Section 4: N blocks of C channels in each stage, FC layers without biases.")
    _clock(network, r, tuple(blocks), last=last)


def _found(network: str, *, last: bool) -> None:
    counted, side = _finished(partial(_own, network), partial(_own.clear, network), "Counting the network …")
    params, macs = counted.kept()
    stages = _kept({stage.stage: stage for stage in counted.stages}, last=last)
    _totals(params, macs, sum(s.params for s in stages.values()), sum(s.macs for s in stages.values()))
    _table(
        {number: (0,) * stage.gates for number, stage in stages.items()},
        {number: stage.params for number, stage in stages.items()},
        {number: stage.macs for number, stage in stages.items()},
        params,
    )
    st.caption(
        f"Counted in the network as it is, for one image of {side} pixels. Squeeze and scale add "
        f"{sum(s.elementwise for s in stages.values()) / 1e6:.1f} M operations on single numbers."
    )
    if counted.left_out:
        st.warning(plain(not_counted(counted.left_out)))
    _clock(network, 0, tuple(stages), last=last)


def _kept(stages: Mapping[int, T], *, last: bool) -> dict[int, T]:
    """Without the last stage, if there are several."""
    end = max(stages)
    return {stage: value for stage, value in stages.items() if last or stage != end or len(stages) == 1}


def _totals(params: int, macs: int, added: int, added_macs: int) -> None:
    with st.container(horizontal=True):
        st.metric("without SE", f"{params / 1e6:.2f} M", help="Parameters.")
        st.metric("SE adds", f"{added:,}", f"{added / params:+.2%}", delta_color="off", delta_arrow="off")
        st.metric(
            "multiply-accumulates",
            f"{macs / 1e9:.3f} G",
            f"{added_macs / macs:+.2%}",
            delta_color="off",
            delta_arrow="off",
            help="Of one image, without SE; below, what SE adds, with each weight of a gate used once.",
        )


def _table(blocks: dict[int, tuple[int, ...]], params: dict[int, int], macs: dict[int, int], of: int) -> None:
    channels = {stage: ", ".join(map(str, sorted(set(listed)))) for stage, listed in blocks.items() if any(listed)}
    st.dataframe(
        pd.DataFrame(
            {
                "stage": list(blocks),
                "gates": [len(listed) for listed in blocks.values()],
                **({"channels C": list(channels.values())} if channels else {}),
                "parameters": list(params.values()),
                "of the network": [f"{count / of:+.2%}" for count in params.values()],
                "MACs": list(macs.values()),
            }
        ),
        hide_index=True,
        column_config=_COLUMNS,
    )
    st.caption(plain(f"What the gates of each stage add, and what leaving them out saves. {RULE}"))


def _ask(key: tuple[object, ...]) -> None:
    """Note what to time. Callbacks run before the page does, so no other click can come in between."""
    st.session_state[_ASKED] = key


def _clock(network: str, r: int, stages: tuple[int, ...], *, last: bool) -> None:
    """The time, measured when it is asked for, as it keeps the processor busy for two seconds and more."""
    fewer = stages[:-1] if last else stages
    key = (network, r, tuple(dict.fromkeys((stages, fewer, ()))))
    st.button("Time it on this machine", icon=":material/timer:", key="time", on_click=_ask, args=(key,))
    if st.session_state.get(_ASKED) != key:
        return
    times = _finished(partial(_times, *key), partial(_times.clear, *key), "Timing the network with and without gates …")
    gated, plain_time = times[stages], times[()]
    said = f"One image takes **{gated:.1f} ms** with these gates and **{plain_time:.1f} ms** without, "
    said += f"{gated / plain_time - 1:+.1%}"
    if fewer not in (stages, ()):
        said += f"; without those of the last stage alone it takes **{times[fewer]:.1f} ms**"
    st.markdown(
        f"{said}: the best of five rounds in turns on this machine's processor, where nothing else is read meanwhile."
    )
