"""Thumbnails of the images that class profiles name, from the folders that the server may read."""

import hashlib

import pytest
from PIL import Image
from support.images import encoded

from se_viz.ui.state import dataset_images


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with a validation split that the server may read, and a file beside it that it may not."""
    content = encoded(Image.new("RGB", (40, 30), "red"))
    for path in ("photos/val/ants/1.png", "outside.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    monkeypatch.setenv("SE_VIZ_DATA", str(tmp_path / "photos"))
    dataset_images.find.clear()
    yield hashlib.sha256(content).hexdigest()
    dataset_images.find.clear()


def test_an_image_is_found_by_its_name_and_its_hash(photos):
    found = dataset_images.find("ants/1.png", photos)
    assert found is not None
    assert found.size == (40, 30)
    assert dataset_images.find("val/ants/1.png", photos) is not None
    assert dataset_images.find("ants/2.png", photos) is None
    assert dataset_images.find("ants/1.png", "0" * 64) is None


@pytest.mark.parametrize("name", ["../outside.png", "../../outside.png", "ants/../../../outside.png"])
def test_a_name_never_leads_out_of_the_folder(photos, name):
    assert dataset_images.find(name, photos) is None


def test_a_link_never_leads_out_of_the_folder(photos, tmp_path):
    (tmp_path / "photos" / "link.png").symlink_to(tmp_path / "outside.png")
    assert dataset_images.find("link.png", photos) is None
