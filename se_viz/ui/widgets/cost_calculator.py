"""Cost of SE in a network: parameters and multiply-accumulates by stage at any r, and its time on this machine."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import streamlit as st

from se_viz.analysis.cost import CannotRemove, Cost
from se_viz.analysis.networks_without_gates import NETWORKS
from se_viz.reports.cost import cost_report, ratio_formula
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import cost_queue, device_queue
from se_viz.ui.state.interrupted_runs import sent_again
from se_viz.zoo import registry

T = TypeVar("T")

_RATIOS = (1, 2, 4, 8, 16, 32, 64)
_COLUMNS = {
    "gates": st.column_config.NumberColumn(format="localized"),
    "channels": st.column_config.TextColumn("channels C"),
    "parameters": st.column_config.NumberColumn(format="localized"),
    "share": st.column_config.NumberColumn("added to the parameters", format="percent"),
    "MACs": st.column_config.NumberColumn(format="localized"),
}


_TIMED = "timed_network"  # in the session: the network and the gates to time


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
    names = [*NETWORKS, *registry.names()]
    network = left.selectbox("Network", names, key=sent_again("network"), bind="query-params")
    without_gates = network in NETWORKS
    r = middle.select_slider(
        "Reduction ratio r",
        _RATIOS,
        value=16,
        key=sent_again("ratio"),
        bind="query-params",
        disabled=not without_gates,
        help=None if without_gates else "This network already has gates, whose r is fixed.",
    )
    last = right.toggle("Gates in the last stage", value=True, key=sent_again("last"), bind="query-params")
    try:
        if without_gates:
            _inserted(network, r, last=last)
        else:
            _own_gates(network, last=last)
    except ValueError as error:  # the network is too large, cannot be built, or takes no images
        st.warning(escape_markdown(str(error)))


def _inserted(network: str, r: int, *, last: bool) -> None:
    """Draw the cost of a network with gates that it does not have."""
    plain = _finished(
        partial(cost_queue.ungated, network), partial(cost_queue.ungated.clear, network), "Counting the network …"
    )
    stages = _chosen(list(plain.channels), last=last)
    counted = plain.cost(r, stages)
    times = _times(network, r, stages, last=last)
    _show(counted, network, NETWORKS[network], times)
    weights = sum(stage.params for stage in counted.stages)
    st.latex(ratio_formula({stage: plain.channels[stage] for stage in stages}, r, weights))
    st.caption("Section 4 of the paper: N blocks of C channels in each stage, FC layers without biases.")


def _own_gates(network: str, *, last: bool) -> None:
    """Draw the cost of a network with its gates."""
    counted, side = _finished(
        partial(cost_queue.counted, network), partial(cost_queue.counted.clear, network), "Counting the network …"
    )
    stages = _chosen([stage.stage for stage in counted.stages], last=last)
    times = _times(network, 0, stages, last=last)
    _show(counted.with_gates_of(stages), network, side, times)


def _chosen(stages: Sequence[int], *, last: bool) -> tuple[int, ...]:
    """Return the stages, without the last one if ``last`` is False and there are several."""
    return tuple(stages if last or len(stages) == 1 else stages[:-1])


def _show(cost: Cost, network: str, side: int, times: cost_queue.Times | None) -> None:
    report = cost_report(cost, network, side, times)
    for sentence in report.sentences:
        st.markdown(emphasised(sentence))
    st.dataframe(report.tables["cost"], hide_index=True, column_config=_COLUMNS)
    st.caption(escape_markdown(report.how_measured))
    for note in report.notes:
        st.warning(escape_markdown(note))


def _time(key: tuple[object, ...]) -> None:
    """Record what to time. Callbacks run before the page does, so no other click can come in between."""
    st.session_state[_TIMED] = key


def _times(network: str, r: int, stages: tuple[int, ...], *, last: bool) -> cost_queue.Times | None:
    """Draw the button that measures the time, and return the times; None if they were not requested.

    The message on gates that cannot be removed is shown in their place. Measuring takes at least two seconds.
    """
    fewer = stages[:-1] if last else stages
    key = (network, r, tuple(dict.fromkeys((stages, fewer, ()))))
    st.button("Time it on this machine", icon=":material/timer:", key="time", on_click=_time, args=(key,))
    if st.session_state.get(_TIMED) != key:
        return None
    try:
        return _finished(
            partial(cost_queue.times, *key),
            partial(cost_queue.times.clear, *key),
            "Timing the network with and without gates …",
        )
    except CannotRemove as error:
        st.warning(escape_markdown(str(error)))
        return None
