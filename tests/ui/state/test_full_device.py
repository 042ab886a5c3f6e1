"""A CPU without room for a single image, where the page has nothing to fall back to; tests/accelerator has the rest."""

import pytest
from support.pages import open_page

from se_viz.device.memory import DeviceFull
from se_viz.ui.state import captures


@pytest.fixture
def _unread():
    captures._values.clear()
    yield
    captures._values.clear()


@pytest.mark.usefixtures("_unread")
def test_a_full_cpu_is_said(monkeypatch):
    def none(*args, **options):
        raise DeviceFull("There is no room for one image on cpu.")

    monkeypatch.setattr(captures, "capture", none)
    page = open_page("inspect", device="cpu")
    assert "no room for one image on cpu" in page.error[0].value
    assert not page.warning
