"""The ablation of a network over a dataset, if there is one."""

from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from se_viz.interventions.ablation import Ablation
from se_viz.interventions.ablation_file import open_ablation, read_ablation
from se_viz.interventions.bundled_ablations import path as bundled_path
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesError
from se_viz.reports.ablation import ablation_report, may_go
from se_viz.reports.subject_facts import about_ablation
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state.models import exact
from se_viz.ui.state.uploads import upload
from se_viz.ui.widgets import chart
from se_viz.ui.widgets.choice import number
from se_viz.ui.widgets.code_lines import head_options, shell_options
from se_viz.ui.widgets.download import download

_LARGEST = 64  # MB of an ablation that is opened here


def show(model: Model) -> Ablation | None:
    """Draw the change of accuracy by gate and by stage and the gates that may go, and return the ablation, if any."""
    place = st.container()
    shell, own = st.columns(2, gap="medium")
    with own:
        file = upload(
            "Ablation of your dataset",
            ["json"],
            key="own_ablation",
            megabytes=_LARGEST,
            help="The file ablation.json that `se-viz ablate` writes for this network. It is shown instead of the "
            "one that comes with SE Viz, in this session only.",
        )
    with place:
        ablation = _uploaded(file, model) if file is not None else None
        if ablation is None:
            ablation = _bundled(model)
        if ablation is None:
            st.info(
                "No ablation for this network yet. It is made over a dataset with labels, from a shell; open its file "
                "below."
            )
        else:
            _draw(ablation)
    with shell:
        if ablation is not None:
            st.markdown("The same numbers from a shell:")
        _command(model)
    return ablation


@st.fragment
def _draw(ablation: Ablation) -> None:
    """Draw sentences, charts, the gates that may go, and the downloads of an ablation."""
    results = st.container()
    if ablation.by("gate"):
        question, limit = st.columns(2, gap="medium", vertical_alignment="center")
        question.header("Which gates may go?", anchor=False)
        with limit:
            loss = number("Accuracy that may be lost, points", 0.0, 5.0, 1.0, "loss", disabled=False)
        report = ablation_report(ablation, loss / 100)
        listed = may_go(ablation, loss / 100)
        st.markdown("\n".join([emphasised(listed.start), "", *(f"- {emphasised(gate)}" for gate in listed.gates)]))
    else:
        report = ablation_report(ablation)
    report = about_ablation(report, ablation)
    chart.say_provenance(report.source)
    with results:
        for sentence in report.parts["effects"]:
            st.markdown(emphasised(sentence))
        if report.charts:
            chart.row(list(report.charts.values()))
        if others := ablation.by("other"):
            st.caption(f"The CSV also has edits that the charts do not show: {len(others)}.")
    for note in (report.how_measured, *report.notes):
        st.caption(escape_markdown(note))
    with st.container(horizontal=True):
        download("Ablation as CSV", partial(report.csv, "ablation"), "ablation.csv", "save_ablation_csv")
        download("Ablation as JSON", ablation.content, "ablation.json", "save_ablation_json")


def _command(model: Model) -> None:
    st.code(
        f"python -m se_viz ablate {shell_options(model)}{head_options()} --data DIR --out ablation", language="bash"
    )


def _uploaded(file: UploadedFile, model: Model) -> Ablation | None:
    """Return the ablation that was uploaded; say why it cannot be shown otherwise."""
    try:
        ablation = _read(file, file.file_id)
        ablation.check(exact(model))
    except ProfilesError as error:
        st.error(escape_markdown(str(error)))
        return None
    st.caption(escape_markdown(f"From {file.name}."))
    return ablation


# The key is the upload's id; few entries, as a file may have numbers of a thousand classes.
@st.cache_resource(max_entries=4, show_spinner="Opening the ablation …")
def _read(_file: UploadedFile, file_id: str) -> Ablation:
    del file_id
    return read_ablation(_file.getvalue(), _file.name)


def _bundled(model: Model) -> Ablation | None:
    """Return the ablation that comes with a demo model, or None."""
    path = bundled_path(model.name)
    if not path.is_file():
        return None
    try:
        ablation = _open(path, path.stat().st_mtime)
        ablation.check(exact(model))
    except ProfilesError:
        return None
    return ablation


@st.cache_resource(max_entries=8, show_spinner="Opening the ablation …")
def _open(path: Path, changed: float) -> Ablation:
    del changed  # part of the key: a file that was written again is opened again
    return open_ablation(path)
