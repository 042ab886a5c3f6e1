"""The script in the page that gives each deliberate change a separate entry in the browser's history."""

import streamlit as st

from se_viz.ui.component_files import joined
from se_viz.ui.state import selection

_KEY = "browser_history"

STYLE = f"""<style>
[data-testid="stLayoutWrapper"]:has(> .st-key-{_KEY}) {{display: none}} /* it has nothing to show */
</style>"""

_component = st.components.v2.component("se_viz_history", js=joined("view", "history.js", "take_over.js"))


def follow(page: str) -> None:
    """Put the script into the page, at the beginning of a run.

    Args:
        page: path of the page; another one than in the run before is a change, too.
    """
    selection.open_page(page)
    st.html(STYLE)
    with st.container(key=_KEY):
        _component(data={"names": selection.NAMES})
