"""The Network page: where the SE blocks are in a network."""

from collections.abc import Callable
from operator import attrgetter
from typing import TypeVar

import streamlit as st

from se_viz.analysis.cost import Cost, cost
from se_viz.device.memory import raise_if_full
from se_viz.gates.block import Block, block_of
from se_viz.gates.gate import Gate
from se_viz.model.model import Model
from se_viz.reports.network import QUESTION, network_report
from se_viz.reports.report import Report
from se_viz.reports.subject_facts import about_model
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import device_queue, presentation
from se_viz.ui.state.models import with_cpu_fallback
from se_viz.ui.state.uploaded_model import called
from se_viz.ui.widgets import chart, report_download
from se_viz.ui.widgets.code_lines import load_line, shell_options
from se_viz.ui.widgets.download import download
from se_viz.ui.widgets.page_header import PageHeader

T = TypeVar("T")

__all__ = ["QUESTION", "page"]

_COLUMNS = {
    "C": st.column_config.NumberColumn(help="Number of channels, which is the length of z and s."),
    "C/r": st.column_config.NumberColumn(help="Width of the bottleneck between the two FC layers."),
    "r": st.column_config.NumberColumn(help="Effective reduction ratio: C divided by the bottleneck.", format="%.3g"),
    "parameters": st.column_config.NumberColumn(help="Number of weights and biases of the gate.", format="localized"),
    "found by": st.column_config.TextColumn(
        help="How the gate was found: by its class, by a search of modules, or by watching multiplications in the code "
        "of a block. X̃ = s · U was verified in each case."
    ),
}


def page(header: PageHeader) -> None:
    """Draw the page."""
    model = header.model
    name = header.gate()
    block = _block(model, name)
    report = network_report(model, [name], called=called(model), counted=_cost(model), blocks={name: block})
    header.answer.markdown(" ".join(map(emphasised, report.sentences)))
    rule, *left_out = report.notes
    for sentence in left_out:
        st.warning(escape_markdown(sentence))
    left, right = st.columns(2, gap="medium")
    with left:
        chart.show(report.charts["gates"])
    with right:
        chart.show(report.charts[f"block_{name}"])
        st.caption(escape_markdown(f"{block.path or 'the network'} ({block.kind}), {_place(model.gate(name))}"))
    st.caption(escape_markdown(rule))
    st.header("All gates", anchor=False)
    st.dataframe(report.tables["gates"], hide_index=True, column_config=_COLUMNS)
    if not presentation.is_on():
        _take_away(model, name, report)


def _place(gate: Gate) -> str:
    """Return the place of a gate in the network, in words."""
    if gate.product is None:
        return f"gate at {gate.path} ({gate.kind})"
    return f"gate in the code of {gate.path or 'the network'} ({gate.kind})"


@st.cache_resource(max_entries=16, show_spinner="Counting the network …", hash_funcs={Model: attrgetter("key")})
def _cost(model: Model) -> Cost:
    return _in_turn(model, lambda: cost(model.network, model.preprocess.crop[0], model.gates))


@st.cache_resource(max_entries=256, show_spinner="Tracing the block …", hash_funcs={Model: attrgetter("key")})
def _block(model: Model, gate: str) -> Block:
    return _in_turn(model, lambda: block_of(model.network, model.gate(gate), model.preprocess.crop))


def _in_turn(model: Model, work: Callable[[], T]) -> T:
    def run() -> T:
        with raise_if_full(model.device, "one image"):
            return work()

    with with_cpu_fallback(str(model.device)):
        return device_queue.take(run, str(model.device))


def _take_away(model: Model, name: str, report: Report) -> None:
    st.header("Export and reproduce", anchor=False)
    report = about_model(report, model)
    with st.container(horizontal=True):
        download("Gates as CSV", lambda: report.csv("gates"), "gates.csv", "save_gates")
        report_download.show(lambda: report, f"network_{name}")
    st.markdown("The same numbers from Python, and from a shell:")
    st.code(
        f"import se_viz\n\n{load_line(model)}\n"
        "for gate in model.gates:\n"
        "    print(gate.name, gate.path, gate.channels, gate.bottleneck, gate.r, gate.squeeze, gate.gate_function)\n"
        f"block = se_viz.block_of(model.network, model.gate({name!r}), model.preprocess.crop)\n"
        "block.parts, block.joins  # what runs around a gate, and where branches meet",
        language="python",
    )
    st.code(f"python -m se_viz gates {shell_options(model, option='')} --gate {name} --out gates", language="bash")
