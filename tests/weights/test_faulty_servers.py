"""Servers that are broken or mean, and processes that die: nothing but the right bytes is ever used."""

import gzip
import io
import itertools
import random
import subprocess
import sys

import pytest
import requests

from se_viz.weights import cache, download, http
from se_viz.weights.errors import Cancelled, DownloadFailed
from se_viz.weights.remote_files import HubFile, ReleaseFile

CONTENT = random.Random(0).randbytes(1_000_000)


@pytest.fixture
def release(weight_server):
    return ReleaseFile(weight_server.release_file("net", CONTENT))


def answering(code, headers, body):
    def answer(handler, _content):
        handler.send_response(code)
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.end_headers()
        for piece in body:
            handler.wfile.write(piece)

    return answer


def parts():
    return list(cache.folder().rglob("*.part"))


def test_a_redirect_is_followed_without_reading_its_body(release, weight_server):
    weight_server.faults.append(answering(302, {"Location": release.url}, itertools.repeat(bytes(10_000))))
    assert release.path().read_bytes() == CONTENT


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://host/net.pth", "javascript:1"])
def test_a_redirect_to_what_is_no_web_address_is_not_followed(release, weight_server, place):
    weight_server.faults.append(answering(302, {"Location": place}, []))
    with pytest.raises(DownloadFailed, match=r"redirects to .* which is not a web address"):
        release.path()


def redirecting(monkeypatch, place):
    """Every answer leads to a place; what was asked for, with the headers sent."""
    asked = []

    def send(_adapter, request, **_given):
        asked.append((request.url, request.headers.get("Authorization")))
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 302, request.url, request
        answer.headers["Location"] = place
        answer.raw = io.BytesIO()
        return answer

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return asked


def test_a_way_without_encryption_is_not_followed(weight_server, monkeypatch):
    asked = redirecting(monkeypatch, "http://host.example/elsewhere")
    with pytest.raises(DownloadFailed, match=r"host\.example redirects to host\.example without encryption"):
        ReleaseFile("https://host.example/net-00000000.pth").path()
    assert len(asked) == 1


def test_a_token_is_not_sent_to_its_own_host_without_encryption(weight_server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    monkeypatch.setenv("HF_TOKEN", "secret")
    asked = redirecting(monkeypatch, "http://hub.example/elsewhere")
    with pytest.raises(DownloadFailed):
        HubFile("timm/net").path()
    assert {token for url, token in asked if url.startswith("http:")} <= {None}
    assert {token for url, token in asked if url.startswith("https:")} == {"Bearer secret"}


def test_a_compressed_answer_is_refused(release, weight_server):
    body = gzip.compress(CONTENT)
    weight_server.faults.append(answering(200, {"Content-Encoding": "gzip", "Content-Length": str(len(body))}, [body]))
    with pytest.raises(DownloadFailed, match="was sent compressed"):
        release.path()
    assert release.path().read_bytes() == CONTENT


@pytest.mark.parametrize("place", ["bytes 7-999999/1000000", "bytes 5-6/7", "", "bytes \xb2-3/4", "items 0-9/10"])
def test_another_part_than_was_asked_for_is_refused(release, weight_server, place):
    weight_server.faults.extend(["cut", answering(206, {"Content-Range": place}, [CONTENT])])
    with pytest.raises(DownloadFailed, match="sent another range of bytes than was requested"):
        release.path()
    assert release.path().read_bytes() == CONTENT


def test_a_part_of_a_part_is_gone_on_with(release, weight_server):
    headers = {"Content-Range": "bytes 0-99/1000000", "Content-Length": "100"}
    weight_server.faults.append(answering(206, headers, [CONTENT[:100]]))
    assert release.path().read_bytes() == CONTENT
    assert weight_server.count("GET") == 2


@pytest.mark.parametrize("length", ["\xb2", "-1", "9" * 5000, "1e6", ""])
def test_an_invalid_length_is_not_believed(release, weight_server, length):
    weight_server.faults.append(answering(200, {"Content-Length": length}, [CONTENT]))
    try:
        assert release.path().read_bytes() == CONTENT
    except DownloadFailed:
        assert release.path().read_bytes() == CONTENT


def test_more_than_the_hub_said_is_thrown_away(weight_server):
    weight_server.hub_file("timm/net", CONTENT)
    weight_server.faults.append(answering(200, {}, itertools.repeat(bytes(100_000))))
    with pytest.raises(DownloadFailed, match=r"does not end at 1\.0 MB, its expected size"):
        HubFile("timm/net").path()
    assert [part.stat().st_size for part in parts()] == [0]
    assert HubFile("timm/net").path().read_bytes() == CONTENT


def test_a_body_without_end_and_length_is_bounded(release, weight_server, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 2_000_000)
    weight_server.faults.append(answering(200, {}, itertools.repeat(bytes(100_000))))
    with pytest.raises(DownloadFailed, match="does not end at"):
        release.path()
    assert release.path().read_bytes() == CONTENT


def test_a_file_that_changes_between_its_halves_is_not_used(release, weight_server):
    changed = answering(206, {"Content-Range": "bytes 500000-999999/1000000"}, [bytes(500_000)])
    weight_server.faults.extend(["cut", changed])
    with pytest.raises(DownloadFailed, match="was deleted"):
        release.path()
    assert not parts()
    assert release.path().read_bytes() == CONTENT


def test_a_slow_server_can_be_cancelled_after_any_piece(release, weight_server):
    def trickle(handler, _content):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.wfile.flush()
        weight_server.release.wait()

    weight_server.faults.append(trickle)
    with pytest.raises(Cancelled):
        release.path(cancelled=lambda: True)


def test_who_reports_may_end_a_download_and_leaves_no_lock(release):
    class Clicked(BaseException):
        pass

    def report(_progress):
        raise Clicked

    with pytest.raises(Clicked):
        release.path(report)
    assert release.path().read_bytes() == CONTENT


def test_a_process_that_is_killed_leaves_no_lock(release, weight_server):
    code = f"from se_viz.weights.remote_files import ReleaseFile; {release!r}.path()"
    weight_server.faults.append("hold")
    with subprocess.Popen([sys.executable, "-c", code]) as other:
        assert weight_server.held.wait(120)
        other.kill()
    assert release.path().read_bytes() == CONTENT


def test_a_cache_that_cannot_be_read_is_named(release, monkeypatch):
    path = release.path()

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cache, "is_verified", denied)
    with pytest.raises(DownloadFailed, match=r"cannot be used \(Permission denied\): set SE_VIZ_CACHE"):
        ReleaseFile(release.url).path()
    assert path.exists()


def test_only_the_hubs_token_helps_with_the_hub(release, weight_server):
    weight_server.faults.append(429)
    with pytest.raises(DownloadFailed, match=r"try again in 7 seconds\.$"):
        ReleaseFile(release.url.replace(weight_server.url, weight_server.elsewhere)).path()
    assert http.hub() == weight_server.url
