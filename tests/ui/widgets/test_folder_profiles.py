"""Class profiles that a visitor makes on the Classes page from uploaded folders."""

import asyncio
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
import torch
from PIL import Image
from safetensors.torch import save
from streamlit.testing.v1 import AppTest
from support import pages
from support.checkpoints import small_weights
from support.images import encoded
from torch import nn
from torchvision.ops import SqueezeExcitation

from se_viz import load, profile
from se_viz.data.image_files import LIMIT
from se_viz.data.preprocess import Preprocess
from se_viz.profiles.class_profiles import open_profiles
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.server import options
from se_viz.ui.server.limits import limits
from se_viz.ui.server.session_folders import FOLDERS, SessionFolders
from se_viz.ui.state import session_profiles
from se_viz.ui.widgets import profile_pass
from se_viz.zoo import registry

open_page = partial(pages.open_page, "classes")


def image(shade: int) -> bytes:
    noise = np.random.default_rng(shade).integers(0, 60, (64, 64, 3))
    return encoded(Image.fromarray((shade + noise).clip(0, 255).astype(np.uint8)))


def packed(**folders: int) -> bytes:
    """A ZIP archive with a number of images in each folder."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for place, (folder, count) in enumerate(folders.items()):
            for number in range(count):
                archive.writestr(f"photos/{folder}/{number}.png", image(90 * place + number))
    return out.getvalue()


def upload(page: AppTest, content: bytes, name: str = "photos.zip") -> AppTest:
    page.file_uploader(key="upload").set_value((name, content, "application/zip")).run()
    assert not page.exception
    return page


def make(page: AppTest) -> AppTest:
    page.button(key="make_profiles").click().run()
    assert not page.exception
    return page


def folder(page: AppTest) -> Path:
    """The folder of a session's files."""
    return page.session_state["session_folder"].path


@pytest.fixture(autouse=True)
def removed(monkeypatch, tmp_path):
    """No class profiles of other tests, and no folder that a test leaves."""
    monkeypatch.setenv("SE_VIZ_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield
    FOLDERS.clear()
    assert not list(tmp_path.glob("se-viz-session-*"))


@pytest.mark.slow
def test_two_folders_of_a_zip_become_class_profiles_that_the_page_opens():
    page = open_page(samples="cat", view="Figure 6")
    assert not [button for button in page.button if button.key == "make_profiles"]
    upload(page, packed(ants=4, bees=3))
    assert page.button(key="make_profiles").label == "Make class profiles from these 2 folders (7 images)"
    make(page)
    assert page.selectbox(key="profiles").value == "ants and bees, 7 images"
    said = [caption.value for caption in page.caption]
    assert escape_markdown("7 images of 2 classes: ants 4, bees 3.") in said
    (chosen,) = [widget.value for widget in page.multiselect if widget.label == "Classes"]
    assert sorted(chosen) == ["ants", "bees"]
    assert any("chart_classes_SE_5_2" in chart.proto.id for chart in page.get("plotly_chart"))
    assert any("**With 3 images of a class" in text.value for text in page.markdown)
    assert not [button for button in page.button if button.key == "make_profiles"]
    # No image is on the disk, and the numbers are those of the same files in folders.
    files = [path.name for path in folder(page).rglob("*") if path.is_file()]
    assert sorted(files) == ["profiles.safetensors", "report.json"]


@pytest.mark.slow
def test_the_numbers_are_those_of_the_same_images_on_a_disk(tmp_path):
    page = make(upload(open_page(samples=""), packed(ants=3, bees=3)))
    with zipfile.ZipFile(io.BytesIO(packed(ants=3, bees=3))) as archive:
        archive.extractall(tmp_path)
    (built,) = folder(page).rglob("profiles.safetensors")
    model, settings = load("demo/r16", "cpu"), {"batch": profile_pass.BATCH, "shard": session_profiles.SHARD}
    again = profile(model, tmp_path / "photos", tmp_path / "again", **settings)
    for one, other in zip(open_profiles(built), again, strict=True):
        assert np.array_equal(one.s().mean, other.s().mean)
        assert np.array_equal(one.s().std, other.s().std)


@pytest.mark.slow
def test_a_network_without_class_profiles_offers_them_first_and_another_session_sees_none():
    content = save(small_weights(3))
    page = pages.hand_in(open_page(samples="cat"), "newts.safetensors", content)
    first = page.markdown[0].value
    assert "No class profiles for newts" in first
    assert "Upload a ZIP archive with one folder of images for each class" in first
    upload(page, packed(ants=3))
    assert "are in one folder, ants" in page.markdown[0].value
    upload(page, packed(ants=3, bees=3))
    assert "Your upload has 2 folders" in page.markdown[0].value
    make(page)
    assert any("ants 3, bees 3" in caption.value for caption in page.caption)
    pages.open_tab(page, "Figure 6")
    assert any("chart_classes_SE_5_1" in chart.proto.id for chart in page.get("plotly_chart"))

    other = pages.hand_in(open_page(samples="cat"), "newts.safetensors", content)
    upload(other, packed(ants=3, bees=3))
    assert "No class profiles for newts" in other.markdown[0].value
    assert other.button(key="make_profiles").label.startswith("Make class profiles")


@pytest.mark.slow
def test_stop_keeps_the_shards_and_continue_counts_the_rest(monkeypatch):
    page = upload(open_page(samples=""), packed(ants=20, bees=20))
    take, batches = profile_pass.device_queue.take, []

    def stopped(work, device, show):
        batches.append(device)
        if len(batches) == 2:  # a click on Stop, in the second shard: its callback, and the next run
            profile_pass._stop()
            st.rerun()
        return take(work, device, show)

    monkeypatch.setattr(profile_pass.device_queue, "take", stopped)
    make(page)
    assert "unfinished: 16 images are counted and kept" in page.info[0].value
    assert page.button(key="make_profiles").label == "Continue"
    assert len(list(folder(page).rglob("shards/*.safetensors"))) == 1
    make(page)
    assert len(batches) == 4  # one, the one that was stopped, and the two that were left
    assert page.selectbox(key="profiles").value == "ants and bees, 40 images"


@pytest.mark.slow
def test_other_images_of_the_same_names_begin_again():
    page = make(upload(open_page(samples=""), packed(ants=2, bees=2)))
    other = packed(bees=2, ants=2)  # the same names, with the images exchanged
    upload(page, other)
    assert page.button(key="make_profiles").label.startswith("Make class profiles")
    make(page)
    assert len(page.selectbox(key="profiles").options) == 3


@pytest.mark.slow
def test_a_request_whose_images_are_gone_says_so():
    page = upload(open_page(samples="cat"), packed(ants=2, bees=2))
    out = "0123456789abcdef"
    model = profile_pass.named(load("demo/r16", "cpu"))
    page.session_state["requested_pass"] = profile_pass.Request(model, ("upload", out), "cats and dogs")
    page.run()
    assert any("The images for the class profiles of cats and dogs are not here" in info.value for info in page.info)


@pytest.mark.slow
def test_a_zip_with_more_images_than_the_page_takes_has_both_folders_and_the_command():
    page = upload(open_page(samples=""), packed(ants=50, bees=50), "my photos.zip")
    assert page.button(key="make_profiles").label == f"Make class profiles from these 2 folders ({LIMIT} images)"
    assert any("36 more files were left out" in warning.value for warning in page.warning)
    assert any("here the first of each folder" in caption.value for caption in page.caption)
    assert any("--data './my photos.zip'" in code.value for code in page.code)


@pytest.mark.slow
def test_what_was_left_out_is_counted_by_class():
    out = io.BytesIO(packed(ants=3, bees=3))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("photos/bees/broken.png", b"\x89PNG")
        archive.writestr("photos/loose.png", image(200))
        archive.writestr("loose.png", image(210))
    page = make(upload(open_page(samples="cat"), out.getvalue()))
    said = " ".join(caption.value for caption in page.caption).replace("\\", "")
    assert (
        "6 images of 2 classes: ants 3, bees 3. 2 images that are in no folder were left out. "
        "1 file was left out when the images were read (bees 1)." in said
    )


@pytest.mark.slow
def test_a_network_that_predicts_nothing_has_them_too(register):
    """Classes are folders, so no logits are needed."""

    def network():
        torch.manual_seed(0)
        stages = (
            nn.Sequential(nn.Conv2d(*c, 3, 2, 1), nn.ReLU(), SqueezeExcitation(c[1], 4)) for c in ((3, 16), (16, 8))
        )
        return registry.Network(nn.Sequential(*stages).eval(), Preprocess(crop=(32, 32), resize=32), (), "maps", None)

    register("test/maps", network)
    page = upload(open_page(samples="cat", model="test/maps"), packed(ants=2, bees=2))
    make(page)
    assert any("ants 2, bees 2" in caption.value for caption in page.caption)
    for view in ("By depth", "Figure 6", "Figure 7", "A against B", "Channel", "Your images", "Export"):
        pages.open_tab(page, view)
        assert page.get("plotly_chart")


@pytest.mark.slow
def test_a_link_to_class_profiles_of_another_session_says_so():
    page = open_page(samples="cat", profiles="ants and bees, 7 images")
    assert "asks for class profiles of ants and bees, 7 images, but there are" in page.warning[0].value


@pytest.mark.slow
def test_a_server_without_a_folder_for_temporary_files_says_so(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    page = make(upload(open_page(samples=""), packed(ants=2, bees=2)))
    assert "file is not a folder" in page.error[0].value
    assert page.button(key="make_profiles").label.startswith("Make class profiles")


@pytest.mark.slow
def test_a_visitor_cannot_fill_the_disk(monkeypatch):
    few = replace(limits(), session_profiles=1000)
    monkeypatch.setattr(session_profiles, "limits", lambda: few)
    page = make(upload(open_page(samples=""), packed(ants=2, bees=2)))
    assert "at most 0 MB of class profiles for each visitor" in page.error[0].value
    assert not list(folder(page).rglob("*.safetensors"))


@pytest.mark.slow
def test_the_folder_goes_with_its_session():
    page = make(upload(open_page(samples=""), packed(ants=2, bees=2)))
    made = folder(page)
    assert made.is_dir()
    FOLDERS.forget("another session")
    assert made.is_dir()
    FOLDERS.forget("test session id")  # of every AppTest
    assert not made.exists()
    page.run()
    assert not page.exception
    assert "profiles" not in {box.key for box in page.selectbox}


def test_a_server_that_ends_removes_all_folders():
    folders = SessionFolders()
    one, other = folders.create("a"), folders.create("b")
    one.make()
    other.make()
    assert one.path.stat().st_mode & 0o777 == 0o700
    (one.path / "file").write_bytes(b"12345")
    assert folders.bytes() == one.bytes() == 5
    folders.forget("a")
    assert not one.path.exists()
    assert other.path.is_dir()
    folders.clear()
    assert not other.path.exists()


@pytest.mark.slow
def test_the_server_removes_the_folder_of_a_session_whose_connection_is_gone(monkeypatch):
    folder = FOLDERS.create("gone")
    folder.make()
    closed = Event()
    runtime = SimpleNamespace(is_active_session=lambda _: False, close_session=lambda _: closed.set())
    monkeypatch.setattr(options, "Runtime", SimpleNamespace(instance=lambda: runtime))
    monkeypatch.setattr(options, "keep_downloads", lambda _: None)
    monkeypatch.setattr(options, "SESSIONS", SimpleNamespace(gone=lambda *_: ["gone"]))
    monkeypatch.setattr(options, "LOOK", 0.0)

    async def serve():
        task = asyncio.create_task(options._tidy())
        assert await asyncio.to_thread(closed.wait, 60)
        task.cancel()

    # In a thread: Playwright's loop runs in the main one, if a browser was started in this process.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, serve()).result()
    assert not folder.path.exists()
