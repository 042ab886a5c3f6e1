"""What a browser is told with every response, and what it then does."""

import asyncio
import http.server
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from starlette.applications import Starlette
from starlette.routing import Route
from support.chromium import chromium_page
from support.served import Served
from support.visitors import Visitor
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from se_viz.ui.server.limits import BadSetting, limits
from se_viz.ui.server.options import exception_handlers, middleware

pytestmark = pytest.mark.slow

_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def _check(headers):
    for name, value in _EVERYWHERE.items():
        assert headers[name] == value
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not any(host in policy for host in ("http:", "https:", " *", "unsafe-eval"))
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/classes", 200),
        ("GET", "/favicon.png", 200),
        ("GET", "/static/js/nothing.js", 200),
        ("GET", "/_stcore/health", 200),
        ("GET", "/_stcore/host-config", 200),
        ("GET", "/_stcore/agent/openapi.json", 200),
        ("GET", "/_stcore/bidi-components/x/y.js", 404),
        ("GET", "/component/x/y.html", 404),
        ("GET", "/media/nothing.png", 404),
        ("OPTIONS", "/_stcore/upload_file/a/b", 204),
        ("PUT", "/_stcore/upload_file/a/b", 403),
        ("DELETE", "/_stcore/upload_file/a/b", 403),
        ("PATCH", "/", 405),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 400),
    ],
)
def test_every_response_has_the_headers(server, method, path, status):
    answer = requests.request(method, server.address + path, timeout=60)
    assert answer.status_code == status
    _check(answer.headers)


def test_files_that_the_page_made_have_them(server):
    with Visitor(server) as visitor:
        assert visitor.files
        for file in visitor.files:
            answer = requests.get(server.address + file, timeout=60)
            assert answer.status_code == 200
            _check(answer.headers)
            assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_an_answer_to_a_failure_of_the_server_has_them():
    async def fails(_request):
        raise RuntimeError("secret")

    app = Starlette(routes=[Route("/", fails)], middleware=middleware(), exception_handlers=exception_handlers())
    sent = []

    async def ask():
        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "server": None}
        with pytest.raises(RuntimeError, match="secret"):  # for the log
            await app(scope, None, send)

    with ThreadPoolExecutor(1) as other:  # in this thread a browser's loop may run
        other.submit(asyncio.run, ask()).result()
    assert sent[0]["status"] == 500
    _check({name.decode().title(): value.decode() for name, value in sent[0]["headers"]})
    assert b"secret" not in sent[1]["body"]


def test_no_other_origin_may_steer_the_page_or_open_its_websocket(server):
    told = requests.get(f"{server.address}/_stcore/host-config", timeout=60).json()
    assert told["allowedOrigins"] == []
    address = server.address.replace("http", "ws") + "/_stcore/stream"
    for origin in ("https://evil.example", "https://x.streamlit.app", "null"):
        with pytest.raises(InvalidStatus) as refused, connect(address, origin=origin):
            pass
        assert refused.value.response.status_code == 403
    with connect(address, origin=server.address):
        pass


def test_metrics_are_not_there_unless_they_are_wanted(server, tmp_path):
    assert requests.get(f"{server.address}/_stcore/metrics", timeout=60).status_code == 200
    with Served(tmp_path) as plain:
        for path in ("/_stcore/metrics", "//_stcore/metrics", "/_stcore/%6detrics", "/_stcore/metrics/"):
            answer = requests.get(plain.address + path, timeout=60)
            assert answer.status_code in (400, 404)
            _check(answer.headers)


def test_the_printed_address_is_right_and_for_this_machine_only(server):
    assert f"SE Viz is at http://127.0.0.1:{server.port}, for this machine only" in server.said()


def test_host_opens_it_to_the_network(tmp_path):
    with Served(tmp_path, arguments=("--host", "0.0.0.0")) as opened:  # noqa: S104
        assert f"SE Viz is at http://localhost:{opened.port}\n" in opened.said()
        assert "External URL" not in opened.said()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SE_VIZ_EMBED_ORIGINS", "https://a.example; script-src *"),
        ("SE_VIZ_EMBED_ORIGINS", "*"),
        ("SE_VIZ_EMBED_ORIGINS", "a.example"),
        ("SE_VIZ_EMBED_ORIGINS", "https://a.example/path"),
        ("SE_VIZ_MAX_SESSIONS", "none"),
        ("SE_VIZ_MAX_SESSIONS", "0"),
        ("SE_VIZ_UPLOADS_LIMIT", "1e999"),
        ("SE_VIZ_UPLOADS_LIMIT", "nan"),
        ("SE_VIZ_METRICS", "perhaps"),
    ],
)
def test_a_setting_that_is_not_understood_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    limits.cache_clear()
    with pytest.raises(BadSetting, match=name):
        limits()
    limits.cache_clear()


@pytest.fixture
def stranger():
    """A page of another origin with the address that its query names in a frame."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<iframe src="{self.path[2:]}" width=900 height=600></iframe>'.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield f"http://localhost:{site.server_port}"
        site.shutdown()
        thread.join()


@pytest.mark.browser
@pytest.mark.parametrize("path", ["/", "/classes", "/_stcore/health", "/media/nothing.html"])
def test_no_page_of_another_origin_shows_it_in_a_frame(server, stranger, browser, path):
    with chromium_page(browser) as page:
        # Chromium says in the console what it does not show.
        with page.expect_console_message(lambda said: "frame" in said.text and server.address in said.text):
            page.goto(f"{stranger}/?{server.address}{path}")
        assert not page.frame_locator("iframe").locator("#root").count()


@pytest.mark.browser
def test_a_setting_lets_one_origin_show_it(tmp_path, stranger, browser):
    with Served(tmp_path, {"SE_VIZ_EMBED_ORIGINS": f"{stranger} https://b.example"}) as server:
        headers = requests.get(server.address, timeout=60).headers
        assert f"frame-ancestors {stranger} https://b.example" in headers["Content-Security-Policy"]
        assert "X-Frame-Options" not in headers
        with chromium_page(browser) as page:
            page.goto(f"{stranger}/?{server.address}/")
            page.frame_locator("iframe").get_by_role("tab", name="Export").wait_for()
            with page.expect_console_message(lambda said: "frame-ancestors" in said.text):
                page.goto(f"{stranger.replace('localhost', '127.0.0.1')}/?{server.address}/")
