"""The widget of a chart: the figure with its alternative text, how to read it, and its files."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial

import streamlit as st

from se_viz.figures.chart import Chart
from se_viz.figures.export import Format, figure_bytes, why_not_drawn
from se_viz.figures.export_presets import PRESETS, PresetName, presented
from se_viz.figures.provenance import Provenance
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import presentation, selection
from se_viz.ui.widgets.choice import choose
from se_viz.ui.widgets.grid import grid

# No tool bar: it covers titles on a phone, and each of its buttons is a stop of the Tab key.
_CONFIG = {"displayModeBar": False, "responsive": True}
_MIME: dict[Format, str] = {
    "pdf": "application/pdf",
    "svg": "image/svg+xml",
    "png": "image/png",
    "html": "text/html",
}
_SCREEN = "screen"
_PROVENANCE = "provenance_of_charts"  # in the session: model and images, for the files of the page's charts
SIZE = "size"  # in the URL


def say_provenance(provenance: Provenance) -> None:
    """Set the model and the images that the files of the charts below name."""
    st.session_state[_PROVENANCE] = provenance


def choose_size() -> None:
    """Draw the choice of the size at which every chart of the page is saved."""
    choose(
        "Size of saved figures",
        [_SCREEN, *PRESETS],
        SIZE,
        segmented=True,
        format_func=lambda name: PRESETS[name].label if name in PRESETS else "as on the screen",
        help="Save below each chart uses this size for PDF, SVG and PNG. The sizes for print and slides have no title, "
        "and no text below 7 points.",
    )


def show(chart: Chart, *, wide: bool = False) -> None:
    """Draw a chart with its tools below; a wide chart scrolls sideways in a narrow window (ui/app.py)."""
    with st.container(key=f"wide_{chart.name}") if wide else nullcontext():
        draw(chart)
    with st.container(horizontal=True, gap="small"):
        tools(chart)


def row(charts: Sequence[Chart]) -> None:
    """Draw charts side by side, two in a row."""
    for column, chart in grid(charts):
        with column:
            show(chart)


def draw(chart: Chart) -> None:
    """Draw the chart without tools."""
    st.plotly_chart(_shown(chart).figure, key=f"chart_{chart.name}", alt=chart.alt, config=_CONFIG)


def _shown(chart: Chart) -> Chart:
    """Return the chart as the page shows it: with large text in a presentation."""
    return presented(chart) if presentation.is_on() else chart


def clickable(chart: Chart, key: str, chosen: str) -> None:
    """Draw a chart with its tools; a click on a point chooses its x.

    Args:
        chart: the chart, with names on its x axis.
        key: name of the choice in the selection; the bar offers the same choice without a mouse.
        chosen: the choice now; the chart is another element for each, so that no old selection stays.
    """
    name = f"chart_{chart.name}_{chosen}"

    def clicked() -> None:
        points = st.session_state[name].selection.points
        if points:
            selection.choose(**{key: points[0]["x"]})

    st.plotly_chart(
        _shown(chart).figure,
        key=name,
        alt=chart.alt,
        config=_CONFIG,
        on_select=clicked,
        selection_mode="points",
    )
    with st.container(horizontal=True, gap="small"):
        tools(chart)


def tools(chart: Chart) -> None:
    """Draw the explanation of a chart, and its downloads, whose files are made when they are requested."""
    with st.popover("How to read this", icon=":material/help:", type="tertiary", key=f"tool_read_{chart.name}"):
        st.markdown(escape_markdown(chart.how_to_read))
    if presentation.is_on():
        return
    size = st.session_state.get(SIZE, _SCREEN)
    preset: PresetName | None = size if size in PRESETS else None
    source = st.session_state.get(_PROVENANCE, Provenance())
    with st.popover("Save", icon=":material/download:", type="tertiary", key=f"tool_save_{chart.name}"):
        for kind, mime in _MIME.items():
            impossible = "" if kind == "html" else why_not_drawn()
            st.download_button(
                "Interactive HTML" if kind == "html" else kind.upper(),
                partial(figure_bytes, chart.figure, kind, preset, name=chart.name, provenance=source),
                file_name=source.file_name(chart.name, size if kind != "html" else "", kind),
                mime=mime,
                key=f"save_{chart.name}_{kind}",
                on_click="ignore",
                disabled=bool(impossible),
                help=impossible or None,
            )
