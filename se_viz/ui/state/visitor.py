"""The check whether the visitor of a run of the page is still connected."""

from collections.abc import Callable

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx


def leaving() -> Callable[[], bool]:
    """Return a function that says whether the visitor of this run has closed the page; any thread may call it.

    Without a server, as in tests of a page, it always returns False.
    """
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return lambda: False
    server, session = runtime.get_instance(), context.session_id
    return lambda: not server.is_active_session(session)
