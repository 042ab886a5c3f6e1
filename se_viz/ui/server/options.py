"""The options of Streamlit's application: middleware, error handlers and lifespan."""

import asyncio
import base64
import hashlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import streamlit
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from streamlit import config
from streamlit.runtime import Runtime
from streamlit.starlette import App

from se_viz import sandbox
from se_viz.ui.server.address import announce
from se_viz.ui.server.connection_limits import Door
from se_viz.ui.server.downloads import keep_downloads
from se_viz.ui.server.headers import SecurityHeaders, failed
from se_viz.ui.server.limits import limits
from se_viz.ui.server.release_memory import give_back, share_arenas
from se_viz.ui.server.session_folders import FOLDERS
from se_viz.ui.server.sessions import SESSIONS
from se_viz.ui.server.shutdown import ends_in_time
from se_viz.ui.server.uploads import HELD, UploadBudget

PAGE = Path(__file__).parents[1] / "entry" / "page.py"
_log = logging.getLogger(__name__)
LOOK = 1.0  # seconds between two checks for ended sessions
_FREEING = 20.0  # seconds after a session during which memory is returned: its last run holds some for a while


def middleware() -> list[Middleware]:
    """Return the middleware that a request passes before Streamlit's, the outermost first.

    Raises:
        BadSetting: an environment variable has an invalid value.
    """
    most = limits()
    return [
        Middleware(SecurityHeaders, embedding=most.embedding, inline=_inline_scripts()),
        Middleware(Door, sessions=most.sessions, metrics=most.metrics),
        Middleware(UploadBudget, session=most.session_uploads, process=most.uploads),
    ]


def exception_handlers() -> dict[type[Exception], Callable[[Request, Exception], Response]]:
    """Return the handlers of requests that fail with an unexpected error."""
    return {Exception: failed}


@asynccontextmanager
async def lifespan(_app: App) -> AsyncIterator[None]:
    """Print the address of the page, free unused memory, and end within seconds after a signal."""
    with ends_in_time():
        announce()
        share_arenas()
        # Started now, so that the first upload does not wait. The child that reads checkpoints imports torch: it starts
        # when a visitor chooses weights.
        await asyncio.to_thread(sandbox.warm, "se_viz.data.untrusted")
        closing = asyncio.create_task(_tidy())
        try:
            yield
        finally:
            closing.cancel()
            with suppress(asyncio.CancelledError):
                await closing
            FOLDERS.clear()


async def _tidy() -> None:
    """Close sessions some seconds after they lost their connection, and delete files that have been downloaded.

    Streamlit itself forgets a session after ``server.disconnectedSessionTTL`` seconds, but checks only when another
    session disconnects, and a forgotten session can no longer be closed.
    """
    runtime = Runtime.instance()
    patience = min(limits().reconnect, config.get_option("server.disconnectedSessionTTL") - 5 * LOOK)
    downloads = keep_downloads(runtime)
    freeing_until = next_time = 0.0
    while True:
        await asyncio.sleep(LOOK)
        if downloads is not None:
            downloads.sweep()
        gone = SESSIONS.gone(runtime.is_active_session, patience)
        now = monotonic()
        if gone:
            freeing_until = now + _FREEING
        if next_time <= now < freeing_until:
            await asyncio.to_thread(give_back)
            next_time = now + _FREEING / 2
        for session in gone:
            HELD.forget(session)
            FOLDERS.forget(session)
            try:
                runtime.close_session(session)
            except Exception:  # noqa: BLE001 - any object of the session may raise; the other sessions must be closed all the same
                _log.exception("A session could not be closed.")


def _inline_scripts() -> list[str]:
    """Return the hashes of the inline scripts in Streamlit's page."""
    html = (Path(streamlit.__file__).parent / "static" / "index.html").read_bytes()
    scripts = re.findall(rb"<script>(.*?)</script>", html, re.DOTALL)
    return [f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts]
