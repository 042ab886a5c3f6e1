"""The buttons Copy link and Present, and the script in the page that sends clicks on charts."""

from typing import Any

import streamlit as st

from se_viz.ui.component_files import joined
from se_viz.ui.state import presentation, selection
from se_viz.ui.state.selection import CHANNEL, CLASS_A
from se_viz.ui.widgets.chart_clicks import chosen_by
from se_viz.ui.widgets.page_header import PageHeader

_KEY = "view_link"  # Intervene has a choice with the name "view"


_component = st.components.v2.component(
    "se_viz_view",
    html=joined("view", "view.html"),
    css=joined("view", "view.css"),
    js=joined("view", "copy.js", "clicks.js", "present.js", "titles.js", "paper.js", "view.js"),
)


# Options of the sidebar, which Streamlit takes out of the URL when the page changes, and what they are at first.
_AT_FIRST = {"origin": "by name", "head": "automatic", "precision": "fp32"}


def show(header: PageHeader) -> None:
    """Draw the buttons in the bar, at the end of a run, when all that the page shows is known."""
    shown = selection.shown()
    with header.bar.link:
        _component(
            key=_KEY,
            # With all parts, the bar has no room for words beside the icons.
            data={
                "shown": shown | _options(),
                "present": presentation.is_on(),
                "full": {CLASS_A, CHANNEL} <= shown.keys(),
            },
            width="content",
            on_clicked_change=_clicked,
            on_presented_change=_presented,
        )


def _options() -> dict[str, str]:
    return {
        name: str(st.session_state[name])
        for name, first in _AT_FIRST.items()
        if st.session_state.get(name, first) != first
    }


def _presented() -> None:
    state: dict[str, Any] = st.session_state.get(_KEY) or {}
    presentation.switch(on=state.get("presented") == "on")


def _clicked() -> None:
    state: dict[str, Any] = st.session_state.get(_KEY) or {}
    what = state.get("clicked")
    if what and (values := chosen_by(what)):
        selection.choose(**values)
