"""Passes over images of which some, whole shards of them, or all cannot be read."""

import json

import numpy as np
import pytest
from PIL import Image
from support.profiling import SETTINGS, make_images

from se_viz.profiles.class_profiles import open_profiles
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.profile import profile

BROKEN = b"\x89PNG\r\n\x1a\nbroken"


@pytest.mark.slow
@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("broken", [("ape",), ("cat",), ("ape", "cat")])
def test_a_shard_without_a_readable_image_is_counted_as_empty(tiny_model, tmp_path, images, broken):
    data = make_images(tmp_path / "photos", count=4)
    good = [name for name in ("ape", "bee", "cat") if name not in broken]
    for name in broken:
        for file in (data / name).iterdir():
            file.write_bytes(BROKEN)
    settings = SETTINGS | {"images": images}
    profiles = profile(tiny_model, data, tmp_path / "out", **settings)
    assert dict(zip(profiles.classes, profiles.counts.tolist(), strict=True)) == {
        name: 4 * (name in good) for name in ("ape", "bee", "cat")
    }
    assert len(profiles.header.refused) == 4 * len(broken)
    alone = tmp_path / "alone"
    for name in good:
        (alone / name).mkdir(parents=True)
        for file in (data / name).iterdir():
            (alone / name / file.name).write_bytes(file.read_bytes())
    expected = profile(tiny_model, alone, tmp_path / "expected", **settings)
    for gate in expected:
        for name in good:
            np.testing.assert_array_equal(profiles[gate.name].s(name).mean, gate.s(name).mean)
            assert [one.name for one in profiles[gate.name].highest(0)] == [one.name for one in gate.highest(0)]


def test_of_nothing_but_broken_images_it_says_so_and_again_when_it_is_started_again(tiny_model, tmp_path):
    data, out = make_images(tmp_path / "photos", count=3), tmp_path / "out"
    files = sorted(data.rglob("*.png"))
    whole = [file.read_bytes() for file in files]
    for file in files:
        file.write_bytes(BROKEN)
    for _ in range(2):
        with pytest.raises(ProfilesError, match=r"None of the 9 images of photos .* 0.png was left out: it is not"):
            profile(tiny_model, data, out, **SETTINGS)
    for file, content in zip(files, whole, strict=True):
        file.write_bytes(content)
    assert profile(tiny_model, data, out, **SETTINGS).counts.tolist() == [3, 3, 3]


def test_a_list_with_paths_of_windows_and_with_nul(tiny_model, tmp_path):
    (tmp_path / "img").mkdir()
    Image.new("RGB", (20, 16), "red").save(tmp_path / "img" / "1.jpg")
    (tmp_path / "one.csv").write_text("path,label\nimg\\1.jpg,a\n")
    assert profile(tiny_model, tmp_path / "one.csv", tmp_path / "one").counts.tolist() == [1]
    (tmp_path / "nul.csv").write_text("path,label\nimg/1.jpg,a\nimg/\0.jpg,a\n")
    profiles = profile(tiny_model, tmp_path / "nul.csv", tmp_path / "nul", **SETTINGS)
    assert profiles.counts.tolist() == [1]
    assert list(profiles.header.refused) == ["img/\0.jpg"]
    assert open_profiles(tmp_path / "nul").header.refused == profiles.header.refused
    (tmp_path / "none.csv").write_text("path,label\nnone.jpg,a\n")
    with pytest.raises(
        ProfilesError, match=r"The only image of none\.csv could not be counted: none\.jpg was left out: No"
    ):
        profile(tiny_model, tmp_path / "none.csv", tmp_path / "none")


def test_the_report_says_what_was_chosen_and_left_out(tiny_model, tmp_path):
    make_images(tmp_path / "photos" / "train", count=1)
    make_images(tmp_path / "photos" / "Valid", count=2)
    (tmp_path / "photos" / "Valid" / "ape" / "x.heic").write_bytes(b"x")
    profile(tiny_model, tmp_path / "photos", tmp_path / "out", **SETTINGS)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["sources"][0]["name"] == "photos/Valid"
    assert "Valid was taken" in report["notes"][0]
    assert report["notes"][1] == "1 HEIC file was left out: convert it to JPEG or PNG."


def test_without_labels_it_names_the_header_or_the_items(tiny_model, tmp_path):
    Image.new("RGB", (20, 16)).save(tmp_path / "1.png")
    (tmp_path / "list.csv").write_text("path,species\n1.png,a\n")
    with pytest.raises(ProfilesError, match="no labels: its columns are path, species, none of them called label"):
        profile(tiny_model, tmp_path / "list.csv", tmp_path / "out")
    several = [(Image.new("RGB", (20, 16)), np.array([1, 1, 0]))]
    with pytest.raises(ProfilesError, match="several labels each"):
        profile(tiny_model, several, tmp_path / "out")
    assert profile(tiny_model, several, tmp_path / "out", labels="predictions").counts.sum() == 1
