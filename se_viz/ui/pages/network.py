"""The Network page: where the SE blocks are in a network."""

import streamlit as st

from se_viz.gates.gate import Gate
from se_viz.model.model import Model
from se_viz.reports.network import QUESTION, network_report
from se_viz.reports.report import Report
from se_viz.reports.subject_facts import about_model
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import presentation, walks
from se_viz.ui.state.uploaded_model import called
from se_viz.ui.widgets import chart, report_download
from se_viz.ui.widgets.code_lines import load_line, shell_options, show_code
from se_viz.ui.widgets.download import download
from se_viz.ui.widgets.page_header import PageHeader

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
    block = walks.block(model, name)
    report = network_report(model, [name], called=called(model), cost=walks.network_cost(model), blocks={name: block})
    header.answer.markdown(" ".join(map(emphasised, report.sentences)))
    for sentence in report.notes:
        st.warning(escape_markdown(sentence))
    left, right = st.columns(2, gap="medium")
    with left:
        chart.show(report.charts["gates"])
    with right:
        chart.show(report.charts[f"block_{name}"])
        st.caption(escape_markdown(f"{block.path or 'the network'} ({block.kind}), {_place(model.gate(name))}"))
    st.caption(escape_markdown(report.how_measured))
    st.header("All gates", anchor=False)
    st.dataframe(report.tables["gates"], hide_index=True, column_config=_COLUMNS)
    if not presentation.is_on():
        _take_away(model, name, report)


def _place(gate: Gate) -> str:
    """Return the place of a gate in the network, in words."""
    if gate.product is None:
        return f"gate at {gate.path} ({gate.kind})"
    return f"gate in the code of {gate.path or 'the network'} ({gate.kind})"


def _take_away(model: Model, name: str, report: Report) -> None:
    st.header("Export and reproduce", anchor=False)
    report = about_model(report, model)
    with st.container(horizontal=True):
        download("Gates as CSV", lambda: report.csv("gates"), "gates.csv", "save_gates")
        report_download.show(lambda: report, f"network_{name}")
    show_code(
        f"import se_viz\n\n{load_line(model)}\n"
        "for gate in model.gates:\n"
        "    print(gate.name, gate.path, gate.channels, gate.bottleneck, gate.r, gate.squeeze, gate.gate_function)\n"
        f"block = se_viz.block_of(model.network, model.gate({name!r}), model.preprocess.crop)\n"
        "block.parts, block.joins  # what runs around a gate, and where branches meet",
        f"python -m se_viz gates {shell_options(model, option='')} --gate {name} --out gates",
    )
