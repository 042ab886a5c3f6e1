"""The widget of a chart: the figure with its alternative text, how to read it, and its files."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial

import streamlit as st

from se_viz.figures.chart import Chart
from se_viz.figures.export import Format, figure_bytes, why_not_drawn
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import selection
from se_viz.ui.widgets.grid import grid

# No tool bar: it covers titles on a phone, and each of its buttons is a stop of the Tab key.
_CONFIG = {"displayModeBar": False, "responsive": True}
_MIME: dict[Format, str] = {"png": "image/png", "svg": "image/svg+xml", "html": "text/html"}


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
    st.plotly_chart(chart.figure, key=f"chart_{chart.name}", alt=chart.alt, config=_CONFIG)


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
        chart.figure,
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
    with st.popover("How to read this", icon=":material/help:", type="tertiary"):
        st.markdown(escape_markdown(chart.how_to_read))
    with st.popover("Save", icon=":material/download:", type="tertiary"):
        for kind, mime in _MIME.items():
            impossible = "" if kind == "html" else why_not_drawn()
            st.download_button(
                "Interactive HTML" if kind == "html" else kind.upper(),
                partial(figure_bytes, chart.figure, kind),
                file_name=f"{chart.name}.{kind}",
                mime=mime,
                key=f"save_{chart.name}_{kind}",
                on_click="ignore",
                disabled=bool(impossible),
                help=impossible or None,
            )
