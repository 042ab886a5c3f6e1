"""Work on uploads ends when the visitor has left."""

import io

import pytest
from PIL import Image
from support.pages import open_page

from se_viz.data.pixels import Gone
from se_viz.ui.widgets import image_picker


@pytest.mark.slow
@pytest.mark.parametrize("left", [False, True])
def test_uploads_are_not_decoded_for_a_visitor_who_has_left(left, monkeypatch):
    file = io.BytesIO()
    Image.new("RGB", (20, 20)).save(file, "PNG")
    monkeypatch.setattr(image_picker, "leaving", lambda: lambda: left)
    at = open_page("inspect", samples="")
    at.file_uploader(key="upload").set_value([("mine.png", file.getvalue(), "image/png")]).run()
    assert not at.exception
    kept = at.session_state["intake"] if "intake" in at.session_state else None  # noqa: SIM401 - AppTest has no get
    assert bool(kept and kept[1].images) is not left


def test_gone_ends_the_run_and_is_no_error(monkeypatch):
    def gone(*_, **__):
        raise Gone

    monkeypatch.setattr(image_picker, "read", gone)
    at = open_page("inspect", samples="")
    assert not at.exception
