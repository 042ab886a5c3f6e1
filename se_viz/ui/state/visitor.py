"""The visitor for whom a run of the page draws: the session, and whether its page is still open."""

from collections.abc import Callable

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx


def session_id() -> str:
    """Return the id of the session for which this thread runs; empty outside a session."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def leaving() -> Callable[[], bool]:
    """Return a function that says whether the visitor of this run has closed the page; any thread may call it.

    Without a server, as in tests of a page, it always returns False.
    """
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return lambda: False
    server, session = runtime.get_instance(), context.session_id
    return lambda: not server.is_active_session(session)


def moved_in_history() -> bool:
    """Return whether this run follows Back or Forward of the browser, so that the URL decides what is shown."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation
