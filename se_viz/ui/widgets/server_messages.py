"""Messages of the server to a visitor: the server is full, or it refused an upload."""

import streamlit as st

from se_viz.ui.markdown import escape_markdown
from se_viz.ui.server.limits import limits
from se_viz.ui.server.sessions import SESSIONS, page_full
from se_viz.ui.server.uploads import HELD
from se_viz.ui.state.visitor import session_id

_RETRY = 5  # seconds


def wait_for_room() -> None:
    """Let a session see the page if there is a place; else show that the server is full, and retry automatically."""
    session = session_id()
    most = limits().sessions
    if SESSIONS.enter(session, most):
        return
    st.title("SE Viz is full")
    st.markdown(f"{page_full(most)} This page opens automatically as soon as one of them leaves.")

    @st.fragment(run_every=_RETRY)
    def again() -> None:
        if SESSIONS.enter(session, most):
            st.rerun()
        if st.button("Try again now"):
            st.rerun()

    again()
    st.stop()


def say_refused_upload() -> None:
    """Show why the server refused an upload; beside the file Streamlit shows only a status code."""
    sentence = HELD.refused(session_id())
    if sentence:
        st.warning(escape_markdown(sentence))
