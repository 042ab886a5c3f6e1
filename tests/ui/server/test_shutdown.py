"""A signal ends the server within seconds, whatever its clients do."""

import signal
import socket
import subprocess
import sys
from contextlib import closing

import pytest
from support.served import ROOT, Served
from support.visitors import Visitor

from se_viz.ui.server.shutdown import DEADLINE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal."),
]
_SOON = 10.0
_SCRIPTS = 40


def _upload(server, session):
    """Announce 50 MB and send one."""
    client = socket.create_connection(("127.0.0.1", server.port))
    health = session._http.get(f"{server.address}/_stcore/health", timeout=60)
    token = health.cookies.get("_streamlit_xsrf") or session._http.cookies["_streamlit_xsrf"]
    head = (
        f"PUT /_stcore/upload_file/{session.id}/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50000000\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\n"
        f"Cookie: _streamlit_xsrf={token}\r\nX-Xsrftoken: {token}\r\n\r\n"
    )
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    client.sendall(head.encode() + part + bytes(1_000_000))
    return client


def _unread_scripts(server):
    """Ask for the largest script many times over and read nothing."""
    import streamlit

    folder = next(iter(streamlit.__path__))
    largest = max((ROOT / folder / "static/static/js").glob("*.js"), key=lambda path: path.stat().st_size)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", server.port))
    client.sendall(f"GET /static/js/{largest.name} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() * _SCRIPTS)
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    return client


def _silent_websocket(server):
    """Shake hands and never read, nor answer that the server closes."""
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(
        b"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert client.recv(12) == b"HTTP/1.1 101"
    return client


@pytest.mark.parametrize("script", [None, "app.py"], ids=["se-viz app", "streamlit run"])
def test_sigterm_ends_a_server_to_which_half_an_upload_came(tmp_path, script):
    with Served(tmp_path, script=script) as server, Visitor(server) as session, closing(_upload(server, session)):
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(_SOON)
        assert server.process.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM)


@pytest.mark.parametrize("stall", [_unread_scripts, _silent_websocket])
def test_sigterm_ends_a_server_whose_clients_do_not_read(tmp_path, stall):
    with Served(tmp_path) as server, closing(stall(server)):
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(_SOON)
        assert server.process.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM)


def test_a_second_signal_ends_it_at_once(tmp_path):
    with Served(tmp_path) as server, Visitor(server) as session, closing(_upload(server, session)):
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):  # it waits for its client still
            server.process.wait(1)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(DEADLINE / 2)
        assert server.process.returncode == 128 + signal.SIGTERM


def test_an_idle_server_ends_in_order(tmp_path):
    with Served(tmp_path) as server, Visitor(server):
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(_SOON)
        assert server.process.returncode == -signal.SIGTERM  # not by the deadline
        assert "Traceback" not in server.said()
