"""Work on uploads ends when the visitor has left."""

import io
from types import SimpleNamespace

import pytest
from PIL import Image
from ui_support import open_page

from se_viz.data.pixels import Gone
from se_viz.ui import pictures, visitor


def test_who_has_no_page_has_not_left():
    assert not visitor.leaving()()


def test_a_session_without_a_connection_has_left_in_any_thread(monkeypatch):
    connected = {"a"}
    server = SimpleNamespace(is_active_session=connected.__contains__)
    monkeypatch.setattr(visitor, "get_script_run_ctx", lambda: SimpleNamespace(session_id="a"))
    monkeypatch.setattr(visitor, "runtime", SimpleNamespace(exists=lambda: True, get_instance=lambda: server))
    left = visitor.leaving()
    monkeypatch.setattr(visitor, "get_script_run_ctx", lambda: None)
    assert not left()
    connected.clear()
    assert left()


@pytest.mark.parametrize("left", [False, True])
def test_uploads_are_not_decoded_for_a_visitor_who_has_left(left, monkeypatch):
    file = io.BytesIO()
    Image.new("RGB", (20, 20)).save(file, "PNG")
    monkeypatch.setattr(pictures, "leaving", lambda: lambda: left)
    at = open_page("inspect", samples="")
    at.file_uploader(key="upload").set_value([("mine.png", file.getvalue(), "image/png")]).run()
    assert not at.exception
    assert ("intake" in at.session_state and bool(at.session_state["intake"][1].pictures)) is not left


def test_gone_ends_the_run_and_is_no_error(monkeypatch):
    def gone(*_, **__):
        raise Gone

    monkeypatch.setattr(pictures, "read", gone)
    at = open_page("inspect", samples="")
    assert not at.exception
