"""Class profiles are built from the page, stopped, and built to their end."""

import io
import re
import signal
import sys
import zipfile

import pytest
from playwright.sync_api import expect
from support.chromium import settle
from support.served import Served

import se_viz
from se_viz.data.sample_images import SAMPLES
from se_viz.profiles.class_profiles import open_profiles
from se_viz.ui.widgets.profile_pass import BATCH

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)

SHARD = 2 * BATCH
COUNT = 2 * SHARD + 8
HELD_FROM = SHARD + BATCH  # the pass waits here until the test lets it go on


@pytest.fixture
def photos(tmp_path):
    """The sample images over and over, small, each a class."""
    for place, sample in enumerate(SAMPLES):
        content = io.BytesIO()
        se_viz.sample(sample.key).rgb.resize((160, 160)).save(content, "JPEG")
        folder = tmp_path / "photos" / sample.key
        folder.mkdir(parents=True)
        for number in range(place, COUNT, len(SAMPLES)):
            (folder / f"{number:03}.jpg").write_bytes(content.getvalue())
    return tmp_path / "photos"


def held(page):
    """What the page says while its pass is held."""
    return page.get_by_text(f"{HELD_FROM} of {COUNT} images")


@pytest.fixture
def variables(photos, tmp_path):
    """The environment of a server whose pass is held."""
    folders = {"SE_VIZ_DATA": str(photos), "SE_VIZ_PROFILES": str(tmp_path / "profiles")}
    held = {"SE_VIZ_TEST_HELD_FROM": str(HELD_FROM), "SE_VIZ_TEST_GO_ON": str(tmp_path / "go on")}
    return folders | held | {"SE_VIZ_TEST_SHARD": str(SHARD)}


HELD = "tests.support.held_pass"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal.")
def test_stop_and_sigterm_keep_what_is_counted_and_continue_ends_it(open_page_of, variables, tmp_path):
    shards = (tmp_path / "profiles").rglob
    unfinished = rf"unfinished: {SHARD} images are counted and kept\. The pass continues after them"
    with Served(tmp_path, variables, module=HELD) as server:
        page = open_page_of("classes?samples=cat&view=Your+images", server=server.address)
        page.get_by_text("Make class profiles of images on this server").click()
        page.get_by_role("button", name="Make", exact=True).click()
        expect(held(page)).to_be_visible()
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_text(re.compile(unfinished))).to_be_visible()
        settle(page)
        assert len(list(shards("shards/*.safetensors"))) == 1

        page.get_by_role("button", name="Continue", exact=True).click()
        expect(held(page)).to_be_visible()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
    assert len(list(shards("shards/*.safetensors"))) == 1

    (tmp_path / "go on").touch()
    with Served(tmp_path, variables, module=HELD) as server:
        page = open_page_of("classes?samples=cat&view=Your+images", server=server.address)
        page.get_by_text("Make class profiles of images on this server").click()
        expect(page.get_by_text(re.compile(unfinished))).to_be_visible()
        page.get_by_role("button", name="Continue", exact=True).click()
        expect(page.get_by_role("combobox", name="Class profiles")).to_be_visible(timeout=300_000)
        expect(page.get_by_text("Finished. The page shows these class profiles")).to_be_visible()
        settle(page)
        profiles = page.get_by_role("combobox", name="Class profiles")
        profiles.scroll_into_view_if_needed()  # an open list closes when the page scrolls, which a click may cause
        profiles.click()
        page.get_by_role("option", name=f"photos, {COUNT} images").click()
        page.get_by_role("tab", name="Figure 6").click()
        expect(
            page.get_by_role("figure", name=re.compile("Mean of s by class for .* channels of SE_5_2"))
        ).to_have_count(1)
    (built,) = shards("profiles.safetensors")
    assert open_profiles(built).counts.sum() == COUNT
    assert not list(built.parent.glob("shards"))


def test_build_and_at_once_another_control_builds_all_the_same(open_page_of, variables, tmp_path):
    """The second click ends the first one's run before it comes to the end of the page."""
    with Served(tmp_path, variables, module=HELD) as server:
        page = open_page_of("classes?samples=cat&view=Your+images", server=server.address)
        make = page.get_by_role("button", name="Make", exact=True).element_handle()
        other = page.get_by_role("tab", name="Figure 6").element_handle()
        page.evaluate("([one, other]) => { one.click(); other.click(); }", [make, other])
        page.wait_for_url(re.compile(r"view=Figure\+6"))
        expect(held(page)).to_be_visible()
        # What is clicked while it runs is done, too, and the pass goes on.
        page.get_by_role("tab", name="Your images").click()
        page.wait_for_url(re.compile(r"view=Your\+images"))
        expect(held(page)).to_be_visible()
        (tmp_path / "go on").touch()
        expect(page.get_by_text("Finished. The page shows these class profiles")).to_be_visible(timeout=180_000)
        settle(page)
    (built,) = (tmp_path / "profiles").rglob("profiles.safetensors")
    assert open_profiles(built).counts.sum() == COUNT


def test_two_folders_of_a_zip_become_class_profiles_for_this_visitor_alone(open_page, photos):
    kept, count = sorted((SAMPLES[0].key, SAMPLES[1].key)), 40
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for key in kept:
            first = min((photos / key).iterdir()).read_bytes()
            for number in range(count // 2):  # files that differ in a comment: of equal ones, one is read
                archive.writestr(
                    f"photos/{key}/{number}.jpg", first[:2] + b"\xff\xfe\0\x03" + bytes([number]) + first[2:]
                )
    page = open_page("classes?samples=&view=Figure+6", wait=False)
    page.locator(".st-key-upload input[type=file]").set_input_files(
        {"name": "photos.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}
    )
    page.get_by_role("button", name=f"Make class profiles from these 2 folders ({count} images)").click()
    expect(page.get_by_text(f"{count} images of 2 classes: {kept[0]} 20, {kept[1]} 20.")).to_be_visible(timeout=180_000)
    settle(page)
    figure = page.get_by_role("figure", name=re.compile("Mean of s by class for .* channels of SE_5_2"))
    expect(figure).to_have_count(1)
    expect(figure).to_have_accessible_name(re.compile(f"{kept[0]}.*{kept[1]}|{kept[1]}.*{kept[0]}"))
    expect(page.get_by_role("combobox", name="Class profiles")).to_be_visible()
    other = open_page("classes?samples=cat")
    expect(other.get_by_role("combobox", name="Class profiles")).to_have_count(0)
