"""The script in the page that gives each deliberate change an entry of its own in the browser's history."""

import streamlit as st

from se_viz.ui.component_files import joined
from se_viz.ui.state import selection

_KEY = "browser_history"

STYLE = f"""<style>
[data-testid="stLayoutWrapper"]:has(> .st-key-{_KEY}) {{display: none}} /* it has nothing to show */
</style>"""

_component = st.components.v2.component("se_viz_history", js=joined("view", "history.js", "changes.js"))


def follow(page: str) -> None:
    """Tell the script how many changes there were, at the beginning of a run, after what Python wrote into the URL.

    Args:
        page: path of the page; another one than in the run before is a change, too.
    """
    selection.open_page(page)
    st.html(STYLE)
    with st.container(key=_KEY):
        _component(data={"changes": selection.changes()})
