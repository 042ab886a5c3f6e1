"""Export and reproduce: the numbers as files, and Python and shell code that gives the same numbers."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import streamlit as st

from se_viz.analysis.predictions import Predictions
from se_viz.figures.provenance import Provenance
from se_viz.gates.capture import Capture, GateCapture
from se_viz.gates.gate import Gate
from se_viz.model.model import Model
from se_viz.reports.report import Report
from se_viz.reports.subject_facts import about_model
from se_viz.reports.tables import capture_table, predictions_table, table_bytes, with_source, without_z
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.widgets import report_download
from se_viz.ui.widgets.chart import choose_size
from se_viz.ui.widgets.code_lines import head_options, load_line, python_images, shell_images, shell_options, show_code
from se_viz.ui.widgets.download import download
from se_viz.ui.widgets.image_picker import Chosen

_LABELS: dict[Literal["csv", "parquet"], str] = {"csv": "z and s as CSV", "parquet": "z and s as Parquet"}


def show(
    model: Model,
    chosen: Chosen,
    capture: Capture,
    predictions: Predictions,
    gate: Gate,
    report: Callable[[], Report],
) -> None:
    """Draw the downloads of z, s and the predictions of all images and of the report, and the code for one gate."""
    choose_size()
    names = [image.name for image in chosen.images]
    with st.container(horizontal=True):
        source = Provenance(model.name)
        for kind, label in _LABELS.items():
            download(label, partial(_file, capture, names, kind, source), f"capture.{kind}", f"save_{kind}")
        if predictions.fitted is not None:
            download(
                "Predictions as CSV",
                lambda: table_bytes(with_source(predictions_table(predictions, names), source), "csv"),
                "predictions.csv",
                "save_predictions",
            )
        report_download.show(lambda: about_model(report(), model, names), f"inspect_{gate.name}")
    if without_z(capture):
        st.caption(escape_markdown(f"{without_z(capture)} Its column is empty."))
    show_code(python_lines(model, chosen, capture[gate.name]), shell_line(model, chosen, gate))


def _file(capture: Capture, names: Sequence[str], kind: Literal["csv", "parquet"], source: Provenance) -> bytes:
    return table_bytes(with_source(capture_table(capture, names), source), kind)


def python_lines(model: Model, chosen: Chosen, gate_capture: GateCapture) -> str:
    """Return a script that captures the same images with the same model; uploads are expected in its folder."""
    gate, size = gate_capture.gate, f"({len(chosen.images)}, {gate_capture.gate.channels})"
    return "\n".join(
        [
            "import se_viz",
            "",
            load_line(model),
            f"images = {python_images(chosen)}",
            f"capture = se_viz.capture(model, images, maps=[{gate.name!r}])",
            f"gate_capture = capture[{gate.name!r}]",
            f"gate_capture.z, gate_capture.s  # {size} each"
            if gate_capture.z is not None
            else f"gate_capture.s  # {size}; z is None here",
            "gate_capture.u, gate_capture.x  # feature maps before and after the gate",
            "predictions = se_viz.predict(model, capture)",
        ]
    )


def shell_line(model: Model, chosen: Chosen, gate: Gate) -> str:
    """Return the command that writes the same numbers into a folder."""
    precision = "" if model.precision == "fp32" else f" --precision {model.precision}"
    options = (
        f"{shell_options(model)}{head_options()} --device {model.device}{precision} --maps {gate.name} --out capture"
    )
    return f"python -m se_viz inspect {shell_images(chosen)} {options}"
