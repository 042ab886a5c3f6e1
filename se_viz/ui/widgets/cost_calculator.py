"""Cost of SE in a network: parameters and multiply-accumulates by stage at any r, and its time on this machine."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import pandas as pd
import streamlit as st

from se_viz.analysis.cost import NETWORKS, se_weights
from se_viz.device.memory import DeviceFull
from se_viz.gates.macs import RULE, not_counted
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import cost_queue, device_queue
from se_viz.wording import signed
from se_viz.zoo import registry

T = TypeVar("T")

_RATIOS = (1, 2, 4, 8, 16, 32, 64)
_COLUMNS = {
    "parameters": st.column_config.NumberColumn(format="localized"),
    "MACs": st.column_config.NumberColumn(format="localized"),
}


_ASKED = "asked_time"  # in the session: the network and the gates to time


def _finished(make: Callable[[], Future[T]], forget: Callable[[], object], doing: str) -> T:
    """Return the result of a calculation when its turn has come; a failed one is not kept."""
    place = st.empty()

    def show(ahead: int) -> None:
        waiting = f"Waiting for the CPU: {ahead} {'task' if ahead == 1 else 'tasks'} ahead in the queue."
        place.caption(waiting if ahead else doing)

    try:
        return device_queue.wait(make(), cost_queue.CPU, show)
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
    network = left.selectbox("Network", [*NETWORKS, *registry.names()], key="network", bind="query-params")
    given = network in NETWORKS
    r = middle.select_slider(
        "Reduction ratio r",
        _RATIOS,
        value=16,
        key="ratio",
        bind="query-params",
        disabled=not given,
        help=None if given else "This network already has gates, whose r is fixed.",
    )
    last = right.toggle("Gates in the last stage", value=True, key="last", bind="query-params")
    try:
        if given:
            _inserted(network, r, last=last)
        else:
            _found(network, last=last)
    except (cost_queue.TooLarge, DeviceFull) as error:
        st.warning(escape_markdown(str(error)))


def _inserted(network: str, r: int, *, last: bool) -> None:
    sites = _finished(
        partial(cost_queue.sites, network), partial(cost_queue.sites.clear, network), "Counting the network …"
    )
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
    st.caption("Section 4 of the paper: N blocks of C channels in each stage, FC layers without biases.")
    _clock(network, r, tuple(blocks), last=last)


def _found(network: str, *, last: bool) -> None:
    counted, side = _finished(
        partial(cost_queue.counted, network), partial(cost_queue.counted.clear, network), "Counting the network …"
    )
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
        f"Counted in the unchanged network, for one image of {side} × {side} pixels. Squeeze and scale add "
        f"{sum(s.elementwise for s in stages.values()) / 1e6:.1f} M elementwise operations."
    )
    if counted.left_out:
        st.warning(escape_markdown(not_counted(counted.left_out)))
    _clock(network, 0, tuple(stages), last=last)


def _kept(stages: Mapping[int, T], *, last: bool) -> dict[int, T]:
    """Return the stages, without the last one if ``last`` is False and there are several."""
    end = max(stages)
    return {stage: value for stage, value in stages.items() if last or stage != end or len(stages) == 1}


def _totals(params: int, macs: int, added: int, added_macs: int) -> None:
    with st.container(horizontal=True):
        st.metric("without SE", f"{params / 1e6:.2f} M", help="Parameters of the network without SE gates.")
        st.metric("SE adds", f"{added:,}", signed(added / params, "+.2%"), delta_color="off", delta_arrow="off")
        st.metric(
            "multiply-accumulates",
            f"{macs / 1e9:.3f} G",
            signed(added_macs / macs, "+.2%"),
            delta_color="off",
            delta_arrow="off",
            help="For one image without SE; below, what SE adds, where each weight of a gate is used once.",
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
                "of the network": [f"{signed(count / of, '+.2%')}" for count in params.values()],
                "MACs": list(macs.values()),
            }
        ),
        hide_index=True,
        column_config=_COLUMNS,
    )
    st.caption(escape_markdown(f"The parameters and MACs that the gates of each stage add. {RULE}"))


def _ask(key: tuple[object, ...]) -> None:
    """Record what to time. Callbacks run before the page does, so no other click can come in between."""
    st.session_state[_ASKED] = key


def _clock(network: str, r: int, stages: tuple[int, ...], *, last: bool) -> None:
    """Draw the button that measures the time; measuring keeps the processor busy for at least two seconds."""
    fewer = stages[:-1] if last else stages
    key = (network, r, tuple(dict.fromkeys((stages, fewer, ()))))
    st.button("Time it on this machine", icon=":material/timer:", key="time", on_click=_ask, args=(key,))
    if st.session_state.get(_ASKED) != key:
        return
    times = _finished(
        partial(cost_queue.times, *key),
        partial(cost_queue.times.clear, *key),
        "Timing the network with and without gates …",
    )
    gated, plain_time = times[stages], times[()]
    said = f"One image takes **{gated:.1f} ms** with these gates and **{plain_time:.1f} ms** without, "
    said += signed(gated / plain_time - 1, "+.1%")
    if fewer not in (stages, ()):
        said += f"; without the gates of the last stage it takes **{times[fewer]:.1f} ms**"
    st.markdown(
        f"{said}. The fastest of five rounds in turns, on this machine's CPU, without other captures meanwhile."
    )
