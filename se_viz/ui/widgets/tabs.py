"""Tabs instead of a long page; only the open one is computed, and its name is in the URL."""

from collections.abc import Callable, Mapping

import streamlit as st

from se_viz.former_names import key_in_link
from se_viz.ui.state import presentation
from se_viz.ui.state.interrupted_runs import sent_again
from se_viz.ui.widgets import choice

KEY = "view"  # in the URL
EXPORT = "Export"  # the tab that a presentation lacks
_OPENED_BY = "tab_opened_by_link"  # in the session, for each set of tabs


def show(
    contents: Mapping[str, Callable[[], None]],
    former: Mapping[str, str] | None = None,
) -> None:
    """Draw the tabs, and the content of the open one.

    Args:
        contents: the function that draws each tab, by the name of the tab; the first tab is open at first.
        former: name of a choice in a tab → name of the tab. A link without a tab, as pages without tabs made them,
            opens the tab of the choice that it names.
    """
    if presentation.is_on():
        contents = {name: draw for name, draw in contents.items() if name != EXPORT}
    names = tuple(contents)
    if st.session_state.get(KEY) not in names:
        st.session_state.pop(KEY, None)  # the tab of another page
    seen = st.session_state.setdefault(_OPENED_BY, set())
    if names not in seen:
        seen.add(names)
        query = st.query_params
        named = [tab for option, tab in (former or {}).items() if key_in_link(option, query) and tab in names]
        if named and KEY not in st.query_params:
            st.session_state.setdefault(KEY, named[0])
    choice.check("View", names, KEY, names[0])
    for tab, draw in zip(st.tabs(names, key=sent_again(KEY), bind="query-params"), contents.values(), strict=True):
        if tab.open:
            with tab:
                draw()
