"""How many visitors there are at once; the others are told, and come in when there is room."""

import re
import time
from contextlib import ExitStack, contextmanager
from threading import Event

import pytest
import requests
from playwright.sync_api import expect
from support.chromium import chromium_page
from support.served import Served
from support.visitors import Visitor
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from se_viz.ui.server.sessions import Sessions

pytestmark = pytest.mark.slow

_FULL = "This server shows SE Viz to at most 2 visitors at a time"


# For two visitors; that of one who left is soon given to another.
_SMALL = {"SE_VIZ_MAX_SESSIONS": "2", "SE_VIZ_RECONNECT_SECONDS": "1"}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A server for two visitors."""
    with Served(tmp_path_factory.mktemp("small"), _SMALL) as served:
        yield served


def _waits(visitor) -> bool:
    return any(_FULL in text for text in visitor.texts)


@contextmanager
def _inside(server):
    """A visitor who sees the page; it may take until the server has seen that others are gone."""
    deadline = time.monotonic() + 60
    while True:
        with Visitor(server) as visitor:
            if not _waits(visitor):
                yield visitor
                return
        assert time.monotonic() < deadline
        Event().wait(0.5)


def test_the_third_visitor_is_told_and_comes_in_when_one_leaves(small):
    with _inside(small) as one:
        with _inside(small) as two, Visitor(small) as three:
            assert [_waits(visitor) for visitor in (one, two, three)] == [False, False, True]
        with _inside(small):
            pass
        one.texts.clear()
        one.load()
        assert not _waits(one)
    with _inside(small):
        pass


def test_a_reconnect_within_seconds_finds_its_place_and_its_uploads(tmp_path):
    with Served(tmp_path, {"SE_VIZ_MAX_SESSIONS": "1", "SE_VIZ_METRICS": "1"}) as server:
        with Visitor(server) as visitor:
            assert visitor.put("a", bytes(1000)).status_code == 204
            before = visitor.id
        with visitor.again():
            visitor.load()
            assert visitor.id == before
            assert not any("SE Viz is full" in text or "at most one visitor" in text for text in visitor.texts)
            assert server.held() == 1000


def test_beyond_twice_as_many_the_answer_is_503_with_the_reason(small):
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(Visitor(small, wait=False))
        with pytest.raises(InvalidStatus) as refused, connect(small.address.replace("http", "ws") + "/_stcore/stream"):
            pass
        assert refused.value.response.status_code == 503
        page = requests.get(small.address, timeout=60)
        assert page.status_code == 503
        assert _FULL in page.text
        assert page.headers["Retry-After"]
        assert page.headers["X-Frame-Options"] == "DENY"
        assert requests.get(f"{small.address}/_stcore/health", timeout=60).status_code == 200
    deadline = time.monotonic() + 60
    while requests.get(small.address, timeout=60).status_code != 200:
        assert time.monotonic() < deadline


@pytest.mark.browser
def test_a_waiting_page_opens_by_itself(small, browser):
    with chromium_page(browser) as page:
        with _inside(small), _inside(small):
            page.goto(small.address)
            expect(page.get_by_text(_FULL)).to_be_visible(timeout=60_000)
        expect(page.get_by_role("tab", name="Export")).to_be_visible(timeout=90_000)
        assert not page.get_by_text(re.compile("SE Viz is full")).count()


def test_places_are_kept_for_a_while_and_then_given_to_others():
    sessions, connected = Sessions(), {"a", "b"}
    assert [sessions.enter(name, 1) for name in ("a", "b", "a")] == [True, False, True]
    assert sessions.gone(connected.__contains__, 15, now=0) == []
    connected.clear()
    assert sessions.gone(connected.__contains__, 15, now=100) == []
    assert sessions.gone(connected.__contains__, 15, now=110) == []
    connected.add("b")  # back in time
    assert sessions.gone(connected.__contains__, 15, now=116) == ["a"]
    assert sessions.enter("b", 1)
    connected.clear()
    assert sessions.gone(connected.__contains__, 15, now=120) == []
    assert sessions.gone(connected.__contains__, 15, now=136) == ["b"]
