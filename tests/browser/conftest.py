"""A running page and a Chromium to look at it with."""

import re
from contextlib import contextmanager

import pytest
from support.chromium import settle
from support.served import Served


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The address of the page, served as ``make run`` serves it."""
    with _serving(None, tmp_path_factory.mktemp("server"), {}) as address:
        yield address


@pytest.fixture
def serving():
    """A function that serves a script with ``streamlit run``, or the page with ``se-viz app`` where that is None.

    It takes a folder for its log, and some more variables for its environment.
    """
    return _serving


@contextmanager
def _serving(script, folder, variables):
    with Served(folder, variables, script) as served:
        yield served.address


@pytest.fixture
def open_page(opening, server):
    """A function that opens the page in a new window; see ``opening``."""
    with opening(server) as opened:
        yield opened


@pytest.fixture
def open_page_of(opening):
    """As ``open_page``, for tests that start a separate server and name it; the common one is not started."""
    with opening(None) as opened:
        yield opened


@pytest.fixture(scope="session")
def opening(browser):
    """A function that takes the address of a server, for a block with a function that opens a page in a new window.

    No request may leave for another host, no script may fail, and nothing of the page may be blocked.
    """

    @contextmanager
    def block(server):
        contexts, foreign, failures, blocked = [], [], [], []

        def opened(
            query="", *, width=1440, height=900, scheme="light", touch=False, server=server, wait=True, route=None
        ):
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=touch, accept_downloads=True
            )
            contexts.append(context)
            page = context.new_page()
            page.set_default_timeout(90_000)
            page.on("request", lambda request: None if _own(request.url, server) else foreign.append(request.url))
            page.on("pageerror", lambda error: failures.append(str(error)))
            # Chromium writes whatever a Content-Security-Policy keeps from loading to the console.
            page.on(
                "console", lambda said: blocked.append(said.text) if "Content Security Policy" in said.text else None
            )
            if route:
                page.route_web_socket(re.compile("/_stcore/stream"), route)
            page.goto(f"{server}/{query}", wait_until="commit")
            if wait:
                settle(page)
            return page

        yield opened
        for context in contexts:
            context.close()
        assert not foreign
        assert not failures
        assert not blocked

    return block


def _own(url: str, server: str) -> bool:
    return url.startswith((server, server.replace("http", "ws"), "data:", "blob:"))
