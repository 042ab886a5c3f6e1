"""Uploads are bounded for each session and for all, whether a widget wants them or not."""

import time
from threading import Event

import pytest
from support.served import Served
from support.visitors import Visitor

pytestmark = pytest.mark.slow

MB = 1_000_000


def test_twelve_files_of_80_mb_to_one_address_are_refused_beyond_the_budget(server):
    with Visitor(server) as visitor:
        answers = [visitor.put(f"file{index}", bytes(80 * MB)) for index in range(12)]
        assert [answer.status_code for answer in answers] == [204] * 4 + [413] * 8
        assert "keeps at most 400 MB of uploads for each visitor" in answers[-1].text
        assert server.held() == 4 * 80 * MB
        assert visitor.remove("file0").status_code == 204
        assert visitor.put("file12", bytes(80 * MB)).status_code == 204


def test_a_body_without_a_declared_length_is_counted_as_it_comes(server):
    with Visitor(server) as visitor:
        answers = [visitor.put(f"file{index}", (bytes(MB) for _ in range(150))) for index in range(4)]
        assert [answer.status_code for answer in answers] == [204, 204, 413, 413]
        assert "keeps at most 400 MB" in answers[-1].text


def test_all_sessions_together_have_a_budget(tmp_path):
    variables = {"SE_VIZ_METRICS": "1", "SE_VIZ_UPLOADS_LIMIT": "50e6", "SE_VIZ_SESSION_UPLOADS_LIMIT": "30e6"}
    with Served(tmp_path, variables) as server, Visitor(server) as one, Visitor(server) as other:
        assert one.put("a", bytes(25 * MB)).status_code == 204
        assert other.put("a", bytes(20 * MB)).status_code == 204
        refused = other.put("b", bytes(8 * MB))
        assert refused.status_code == 413
        assert "keeps at most 50 MB of uploads for all its visitors" in refused.text
        assert one.put("b", bytes(25 * MB)).text.startswith("This server keeps at most 30 MB of uploads for each")


def test_what_a_visitor_uploaded_is_freed_when_the_connection_has_been_gone_for_some_seconds(server):
    with Visitor(server) as visitor:
        assert visitor.put("a", bytes(50 * MB)).status_code == 204
        assert server.held() >= 50 * MB
    deadline = time.monotonic() + 60  # Streamlit alone looks only when another session is disconnected
    while server.held():
        assert time.monotonic() < deadline
        Event().wait(0.5)


def test_the_page_says_why_an_upload_was_refused(server):
    with Visitor(server) as visitor:
        assert visitor.put("a", bytes(395 * MB // 2)).status_code == 204
        assert visitor.put("b", bytes(395 * MB // 2)).status_code == 204
        assert visitor.put("c", bytes(20 * MB)).status_code == 413
        assert visitor.put("d", b"", session="no-session").status_code == 400
        visitor.load()
        assert any("keeps at most 400 MB" in text for text in visitor.alerts)
