"""A running page and a Chromium to look at it with."""

import re
from contextlib import contextmanager, suppress

import pytest
from playwright.sync_api import TimeoutError as TookTooLong
from support.chromium import chromium_page, settle
from support.served import Served


@pytest.fixture(scope="session")
def server(browser, tmp_path_factory):
    """The address of the page, served as ``make run`` serves it, which has drawn its first page.

    That page comes with the imports of torch and Streamlit, and may take a minute on a busy machine.
    """
    with _serving(None, tmp_path_factory.mktemp("server"), {}) as address:
        _draw_once(browser, address)
        yield address


def _draw_once(browser, address):
    with chromium_page(browser) as page:
        for _ in range(3):
            page.goto(address)
            with suppress(TookTooLong):
                page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=60_000)
                return


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
