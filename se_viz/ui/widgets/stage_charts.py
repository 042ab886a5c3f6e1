"""A chart for each stage, two in a row, with a choice of the stage's block."""

from collections.abc import Sequence

import streamlit as st

from se_viz.reports.report import Report
from se_viz.ui.state import presentation
from se_viz.ui.widgets import chart
from se_viz.ui.widgets.choice import choose
from se_viz.ui.widgets.grid import grid


def show(report: Report, kind: str, stages: Sequence[tuple[int, Sequence[str]]], key: str, few: int) -> None:
    """Draw the charts.

    Args:
        report: the report with a chart ``KIND_GATE`` for each gate.
        kind: the first part of the charts' names.
        stages: the stages, each with the names of its gates.
        key: first part of the keys of the choices.
        few: number of gates up to which they are offered as buttons in a line, otherwise as a list.
    """
    for column, (stage, gates) in grid(stages, min(2, len(stages))):
        with column:
            _stage(report, kind, gates, f"Block of stage {stage}", f"{key}{stage}", few)


@st.fragment
def _stage(report: Report, kind: str, gates: Sequence[str], label: str, key: str, few: int) -> None:
    last = len(gates) - 1
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if len(gates) <= few:
            gate = choose(label, gates, key, at_first=last, segmented=True, label_visibility="collapsed")
        else:
            width = presentation.wide(140)
            gate = choose(label, gates, key, at_first=last, label_visibility="collapsed", width=width)
        shown = report.charts[f"{kind}_{gate}"]
        chart.tools(shown)
    chart.draw(shown)
