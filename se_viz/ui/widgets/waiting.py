"""What a visitor sees of the server itself: that it is full, or that it refused an upload."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from se_viz.ui.markdown import escape_markdown
from se_viz.ui.server.limits import limits
from se_viz.ui.server.sessions import SESSIONS, page_full
from se_viz.ui.server.uploads import HELD

_RETRY = 5  # seconds


def wait_for_room() -> None:
    """Let a session pass that sees the page; show the others that the server is full, and try again by itself."""
    session = session_id()
    most = limits().sessions
    if SESSIONS.enter(session, most):
        return
    st.title("SE Viz is full")
    st.markdown(f"{page_full(most)} This page opens by itself as soon as one of them leaves.")

    @st.fragment(run_every=_RETRY)
    def again() -> None:
        if SESSIONS.enter(session, most):
            st.rerun()
        if st.button("Try again now"):
            st.rerun()

    again()
    st.stop()


def say_refused_upload() -> None:
    """Show why the server refused an upload: beside the file the browser shows only a number."""
    sentence = HELD.refused(session_id())
    if sentence:
        st.warning(escape_markdown(sentence))


def session_id() -> str:
    """Return the number of the session that this thread runs for."""
    context = get_script_run_ctx()
    return context.session_id if context else ""
