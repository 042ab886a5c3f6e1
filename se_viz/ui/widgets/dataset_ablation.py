"""The ablation of a network over a dataset, if there is one."""

from functools import partial
from pathlib import Path

import streamlit as st

from se_viz.interventions.ablation import Ablation, open_ablation
from se_viz.interventions.bundled_ablations import path as bundled_path
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesError
from se_viz.reports.ablation import ablation_report
from se_viz.reports.tables import table_bytes
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state.models import exact
from se_viz.ui.widgets import chart
from se_viz.ui.widgets.choice import number
from se_viz.ui.widgets.code_lines import head_options, shell_options


@st.fragment
def show(model: Model) -> None:
    """Draw the change of accuracy by gate and by stage, and the gates that may go."""
    ablation = _of(model)
    if ablation is None:
        st.info("No ablation for this network yet. It is made over a dataset with labels, from a shell:")
        _command(model)
        return
    results = st.container()
    st.header("Which gates may go?", anchor=False)
    loss = number("Accuracy that may be lost, points", 0.0, 5.0, 1.0, "loss", disabled=False)
    report = ablation_report(ablation, loss / 100)
    *effects, may_go = report.sentences
    with results:
        for sentence in effects:
            st.markdown(emphasised(sentence))
        chart.row(list(report.charts.values()))
    start, colon, listed = may_go.partition(": ")
    st.markdown(
        "\n".join([emphasised(start + colon), "", *(f"- {emphasised(one)}" for one in listed.split("; ") if one)])
    )
    for note in report.notes:
        st.caption(escape_markdown(note))
    with st.container(horizontal=True):
        st.download_button(
            "Ablation as CSV",
            partial(_csv, ablation),
            file_name="ablation.csv",
            mime="text/csv",
            key="save_ablation_csv",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Ablation as JSON",
            ablation.content,
            file_name="ablation.json",
            mime="application/json",
            key="save_ablation_json",
            on_click="ignore",
            icon=":material/download:",
        )
    st.markdown("The same numbers from a shell:")
    _command(model)


def _command(model: Model) -> None:
    st.code(
        f"python -m se_viz ablate {shell_options(model)}{head_options()} --data DIR --out ablation", language="bash"
    )


def _csv(ablation: Ablation) -> bytes:
    return table_bytes(ablation.table(), "csv")


def _of(model: Model) -> Ablation | None:
    path = bundled_path(model.name)
    if not path.is_file():
        return None
    ablation = _open(path, path.stat().st_mtime)
    try:
        ablation.check(exact(model))
    except ProfilesError:
        return None
    return ablation


@st.cache_resource(max_entries=8, show_spinner="Opening the ablation …")
def _open(path: Path, changed: float) -> Ablation:
    del changed  # part of the key: a file that was written again is opened again
    return open_ablation(path)
