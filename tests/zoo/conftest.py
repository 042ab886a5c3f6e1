import pytest
from shelf import Shelf

from se_viz.zoo import web


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A server of weights, which is the hub too, and an empty cache."""
    shelf = Shelf()
    monkeypatch.setenv("SE_VIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", shelf.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(web, "TIMEOUT", (10.0, 10.0))
    yield shelf
    shelf.close()
