"""Export of interventions: the numbers as files, and Python and shell code that gives the same numbers."""

import shlex
from collections.abc import Mapping
from functools import partial

import streamlit as st

from se_viz.interventions.edits import Edit, Edits, Swap
from se_viz.profiles.bundled import path as shipped_path
from se_viz.reports.intervention import Channels
from se_viz.reports.report import Report
from se_viz.reports.subject_facts import about_model
from se_viz.ui.widgets import report_download
from se_viz.ui.widgets.chart import choose_size
from se_viz.ui.widgets.code_lines import head_options, load_line, python_images, shell_images, shell_options, show_code
from se_viz.ui.widgets.download import download
from se_viz.ui.widgets.intervene_state import InterveneState

_LABELS = {"gate_effects": "Effects of gates", "channels": "Channels", "outputs": "Outputs before and after"}


def show(state: InterveneState, report: Report, edits: Edits, channels: Channels | None) -> None:
    """Draw the downloads, and the code.

    Args:
        state: what the page shows.
        report: the report, with the edit.
        edits: the edit of the gate.
        channels: the attribution, if there is one.
    """
    choose_size()
    report = about_model(report, state.model, [state.image.name])
    with st.container(horizontal=True):
        for name in report.tables:
            if name.startswith("faithfulness"):
                continue  # it would be computed before the rest of the page is there; the chart's file has it
            label = _LABELS.get(name) or _LABELS[name.partition("_")[0]]
            download(f"{label} as CSV", partial(report.csv, name), f"{name}.csv", f"save_{name}")
        numbers = f"intervention_{state.gate}.json"
        download("All numbers as JSON", lambda: report.files["intervention.json"], numbers, "save_intervention")
        report_download.show(lambda: report, f"intervene_{state.gate}")
    own = state.profiles is not None and state.profiles.path != shipped_path(state.model.name)
    edit = edits[state.gate]
    show_code(_python(state, edit, channels, own=own), _shell(state, edit, channels, own=own))


def _python(state: InterveneState, edit: Edit, channels: Channels | None, *, own: bool) -> str:
    """Return a script that gives the same numbers; uploads are expected in its folder."""
    gate = state.gate
    extra = ", profiles=profiles" if own else ""
    lines = [
        "import se_viz",
        "",
        load_line(state.model),
        *(['profiles = se_viz.open_profiles("PROFILES")  # as the Classes page made them'] * own),
        f"images = {python_images(state.chosen)}",
        f"image = images[{state.focus}]",
        f"edits = {{{gate!r}: {_said(edit, state.other)}}}",
        f"capture = se_viz.capture(model, image, edits=edits{extra})",
        f"capture[{gate!r}].s, capture[{gate!r}].s_applied  # as computed, as applied",
        "se_viz.predict(model, capture)",
    ]
    if channels is not None:
        found = channels.attribution
        base = '"mean"' if channels.baseline not in ("0", "1") else channels.baseline
        about = f"model, image, {gate!r}"
        target = f"{int(found.targets[0])}"
        starts = "" if found.method == "layer-conductance" else f", baseline={base}{extra}"
        lines += [
            f"found = se_viz.attribute({about}, {target}, {found.method!r}{starts})",
            "found.values, found.completeness_error  # (1, C), (1,)",
            f"se_viz.faithfulness({about}, target={target}, method={found.method!r}, baseline={base}{extra})",
        ]
    return "\n".join(lines)


def _said(edit: Edit, other: int | None) -> str:
    """Return an edit as Python code."""
    if isinstance(edit, Mapping):
        values = list(edit.values())
        return (
            f"dict.fromkeys({list(edit)}, {_said(values[0], other)})"
            if len(values) > 1
            else (f"{{{next(iter(edit))}: {_said(values[0], other)}}}")
        )
    return f"se_viz.swap(images[{other}])" if isinstance(edit, Swap) else repr(edit)


def _shell(state: InterveneState, edit: Edit, channels: Channels | None, *, own: bool) -> str:
    """Return the commands that write the same numbers into folders."""
    model = state.model
    precision = "" if model.precision == "fp32" else f" --precision {model.precision}"
    common = f"{shell_images(state.chosen)} {shell_options(model)}{head_options()} --device {model.device}{precision}"
    common += f" --focus {state.focus + 1} --gate {state.gate}" + (" --profiles PROFILES" if own else "")
    value = next(iter(edit.values())) if isinstance(edit, Mapping) else edit
    said = "other" if isinstance(value, Swap) else str(value)
    picked = "".join(f" --channel {channel}" for channel in edit) if isinstance(edit, Mapping) else ""
    swapped = "" if state.other is None else f" --other {state.other + 1}"
    target = "" if channels is None else f" --target {int(channels.attribution.targets[0])}"
    lines = [f"python -m se_viz intervene {common}{picked} --set {said}{swapped}{target} --out intervention"]
    if channels is not None:
        base = "mean" if channels.baseline not in ("0", "1") else channels.baseline
        method = shlex.quote(channels.attribution.method)
        starts = "" if method == "layer-conductance" else f" --baseline {base}"
        lines.append(f"python -m se_viz attribute {common} --method {method}{starts}{target} --out attribution")
    return "\n".join(lines)
