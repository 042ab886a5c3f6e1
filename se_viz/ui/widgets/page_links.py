"""Links from one page to another that stay in the session, with the selection."""

from collections.abc import Iterable

import streamlit as st
from streamlit.navigation.page import Page

from se_viz.ui.state import selection

_KEY = "pages_of_the_app"


def remember(pages: Iterable[Page]) -> None:
    """Remember the pages of the app for ``link``."""
    st.session_state[_KEY] = {page.url_path: page for page in pages}


def link(path: str, label: str, **query: str) -> None:
    """Draw a link to the page with a path, if the app has it; a page that runs alone in a test has no others.

    Args:
        path: path of the page.
        label: text of the link.
        query: what the page shows where the visitor has chosen nothing else, by names in the URL.
    """
    page = st.session_state.get(_KEY, {}).get(path)
    if page is not None:
        st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=query | selection.choices())


def menu() -> None:
    """Draw a link to each page that the menu has."""
    for page in st.session_state.get(_KEY, {}).values():
        if page.visibility != "hidden":
            st.page_link(page, label=page.title)
