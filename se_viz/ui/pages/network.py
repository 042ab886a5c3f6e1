"""The Network page, which answers where attention sits in a network."""

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from se_viz.analysis.cost import Cost, cost
from se_viz.device.memory import raise_if_full
from se_viz.gates.block import Block, block_of
from se_viz.gates.gate import Gate
from se_viz.model.model import Model
from se_viz.reports.network import QUESTION, network_report
from se_viz.reports.report import Report
from se_viz.reports.tables import table_bytes
from se_viz.ui.markdown import emphasised, plain
from se_viz.ui.state import device_queue as turns
from se_viz.ui.state.models import with_cpu_fallback
from se_viz.ui.widgets import chart
from se_viz.ui.widgets.checkpoint_picker import called
from se_viz.ui.widgets.code_lines import load_line, shell_options
from se_viz.ui.widgets.page_header import Head

T = TypeVar("T")

__all__ = ["QUESTION", "page"]

_COLUMNS = {
    "C": st.column_config.NumberColumn(help="Channels, the length of z and s."),
    "C/r": st.column_config.NumberColumn(help="Width of the bottleneck between the two FC layers."),
    "r": st.column_config.NumberColumn(help="Effective reduction ratio, C over the bottleneck.", format="%.3g"),
    "parameters": st.column_config.NumberColumn(help="Weights and biases of the gate.", format="localized"),
    "found by": st.column_config.TextColumn(
        help="By its class, by a search of modules, or by watching multiplications in the code of a block. X̃ = s · U "
        "was verified each way."
    ),
}


def page(head: Head) -> None:
    """Draw the page."""
    model = head.model
    names = [gate.name for gate in model.gates]
    with st.container(width=280):
        name = st.selectbox("Gate", names, index=len(names) - 1, key="gate", bind="query-params")
    block = _block(model, model.key, name)
    report = network_report(model, [name], called=called(model), counted=_cost(model, model.key), blocks={name: block})
    head.answer.markdown(" ".join(map(emphasised, report.sentences)))
    rule, *left_out = report.notes
    for sentence in left_out:
        st.warning(plain(sentence))
    left, right = st.columns(2, gap="medium")
    with left:
        chart.show(report.charts["gates"])
    with right:
        chart.show(report.charts[f"block_{name}"])
        st.caption(plain(f"{block.path or 'the network'} ({block.kind}), {_place(model.gate(name))}"))
    st.caption(plain(rule))
    st.header("Every gate", anchor=False)
    st.dataframe(report.tables["gates"], hide_index=True, column_config=_COLUMNS)
    _take_away(model, name, report)


def _place(gate: Gate) -> str:
    """Where a gate is in the network, for a person."""
    if gate.product is None:
        return f"gate at {gate.path} ({gate.kind})"
    return f"gate in the code of {gate.path or 'the network'} ({gate.kind})"


@st.cache_resource(max_entries=16, show_spinner="Counting the network …")
def _cost(_model: Model, key: str) -> Cost:
    del key
    return _in_turn(_model, lambda: cost(_model.network, _model.preprocess.crop[0], _model.gates))


@st.cache_resource(max_entries=256, show_spinner="Watching the block …")
def _block(_model: Model, key: str, gate: str) -> Block:
    del key
    return _in_turn(_model, lambda: block_of(_model.network, _model.gate(gate), _model.preprocess.crop))


def _in_turn(model: Model, work: Callable[[], T]) -> T:
    def run() -> T:
        with raise_if_full(model.device, "one image"):
            return work()

    with with_cpu_fallback(str(model.device)):
        return turns.take(run, str(model.device))


def _take_away(model: Model, name: str, report: Report) -> None:
    st.header("Take it away", anchor=False)
    st.download_button(
        "Gates as CSV",
        lambda: table_bytes(report.tables["gates"], "csv"),
        file_name="gates.csv",
        mime="text/csv",
        key="save_gates",
        on_click="ignore",
        icon=":material/download:",
    )
    st.markdown("The same from Python, and from a shell:")
    st.code(
        f"import se_viz\n\n{load_line(model)}\n"
        "for gate in model.gates:\n"
        "    print(gate.name, gate.path, gate.channels, gate.bottleneck, gate.r, gate.squeeze, gate.gate_function)\n"
        f"block = se_viz.block_of(model.network, model.gate({name!r}), model.preprocess.crop)\n"
        "block.parts, block.joins  # what runs around a gate, and where branches meet",
        language="python",
    )
    st.code(f"python -m se_viz gates {shell_options(model, option='')} --gate {name} --out gates", language="bash")
