"""Uploads keep their folders and stay apart, and what is not read is told."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from support.images import encoded
from support.pages import open_app, open_page


def photo(shade):
    return encoded(Image.fromarray(np.full((64, 64, 3), shade, np.uint8)))


def upload(page, *files, key="upload"):
    page.file_uploader(key=key).set_value([(name, content, "") for name, content in files]).run()
    assert not page.exception
    return page


def names(page):
    """The options of the image in focus, which name all of them."""
    return page.selectbox(key="focus").options


def test_a_folder_keeps_its_folders_and_what_macos_adds_is_ignored():
    page = upload(
        open_page("inspect", samples="", view="Export"),
        ("pets/dogs/1.jpg", photo(30)),
        ("pets/cats/1.jpg", photo(90)),
        ("pets/cats/._1.jpg", b"resource fork"),
        ("__MACOSX/pets/cats/._1.jpg", b"x"),
        key="upload_folder",
    )
    assert names(page) == ["1 cats/1.jpg", "2 dogs/1.jpg"]
    assert not page.warning
    lines = " ".join(code.value for code in page.code)
    assert "read_paths(['./pets'])" in lines
    assert "inspect ./pets " in lines


def test_a_folder_may_hold_anything_and_what_is_no_image_is_said():
    page = open_page("inspect", samples="")
    # A browser shows files of other types in red before the page can say anything.
    assert not page.file_uploader(key="upload_folder").proto.type
    upload(
        page,
        ("pets/.DS_Store", b"\0\0\0\1Bud1"),
        ("pets/cats/1.jpg", photo(90)),
        ("pets/dogs/1.jpg", photo(30)),
        ("pets/notes.txt", b"words"),
        key="upload_folder",
    )
    assert names(page) == ["1 cats/1.jpg", "2 dogs/1.jpg"]
    assert [warning.value.replace("\\", "").partition(":")[0] for warning in page.warning] == ["notes.txt was left out"]


def test_the_folders_of_an_upload_are_groups():
    page = upload(
        open_page("classes", samples="", view="Your images"),
        ("pets/cats/1.jpg", photo(30)),
        ("pets/dogs/1.jpg", photo(90)),
        key="upload_folder",
    )
    groups = next(frame.value for frame in page.dataframe if "group" in frame.value)
    assert list(groups["group"]) == ["cats", "dogs"]


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_one_split_of_an_upload_is_taken_which_is_said_and_can_be_changed(kind):
    files = [("train/cats/1.jpg", 30), ("train/dogs/2.jpg", 60), ("train/dogs/3.jpg", 70), ("Val/cats/4.jpg", 90)]
    page = open_page("inspect", samples="", view="Export")
    if kind == "archive":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, shade in files:
                archive.writestr(name, photo(shade))
        upload(page, ("pets.zip", packed.getvalue()))
    else:
        upload(page, *((f"pets/{name}", photo(shade)) for name, shade in files), key="upload_folder")
    source = "pets.zip" if kind == "archive" else "pets"

    def said():
        return next(one.value.replace("\\", "") for one in page.caption if "is split into" in one.value)

    def lines():
        return " ".join(code.value for code in page.code)

    assert said() == f"{source} is split into Val (1), train (3): Val was taken (choose another at Split)."
    assert not page.warning
    assert "--split" not in lines()
    assert "split=" not in lines()
    (split,) = [box for box in page.selectbox if box.label == "Split"]
    assert split.options == ["Val (1 image)", "train (3 images)"]
    split.set_value("train").run()
    assert not page.exception
    assert names(page) == ["1 cats/1.jpg", "2 dogs/2.jpg", "3 dogs/3.jpg"]
    assert "train was taken" in said()
    assert f"read_paths(['./{source}'], split='train')" in lines()
    assert f"inspect ./{source} --split train " in lines()
    (split,) = [box for box in page.selectbox if box.label == "Split"]
    split.set_value("val").run()
    assert "Val was taken" in said()


@pytest.mark.slow
def test_the_first_samples_go_when_an_upload_comes_and_others_stay():
    page = open_app()
    assert len(names(page)) == len(page.multiselect(key="samples").value) == 4
    upload(page, ("notes.txt", b"words"))
    assert len(names(page)) == 4  # nothing to show in their place
    upload(page, ("1.jpg", photo(30)), ("2.jpg", photo(90)))
    assert names(page) == ["1 1.jpg", "2 2.jpg"]
    page.multiselect(key="samples").set_value(["cat"]).run()
    assert names(page) == ["1 1.jpg", "2 2.jpg", "3 Chelsea the cat"]


@pytest.mark.slow
def test_three_uploads_of_one_name_are_three_everywhere():
    page = upload(open_page("inspect", samples="cat"), *(("image.jpg", photo(shade)) for shade in (30, 90, 200)))
    wanted = ["image.jpg", "image (2).jpg", "image (3).jpg", "Chelsea the cat"]
    assert names(page) == [f"{index + 1} {name}" for index, name in enumerate(wanted)]
    # A name that a sample has, too.
    page = upload(open_page("inspect", samples="cat"), ("Chelsea the cat", photo(30)))
    assert names(page)[1] == "2 Chelsea the cat (2)"


def test_formats_that_are_not_read_are_explained():
    page = upload(
        open_page("inspect"),
        ("IMG_0001.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("words.txt", b"words"),
    )
    said = [warning.value.replace("\\", "") for warning in page.warning]
    assert said[0].startswith("IMG_0001.HEIC was left out: it is a HEIC photo; save it as JPEG")
    assert said[1].startswith("words.txt was left out: it is not an image")


@pytest.mark.slow
def test_many_refusals_are_one_box_with_a_list():
    """The archive of 60 images and 900 other files that drew 900 boxes above the first card."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for index in range(60):
            archive.writestr(f"a/{index}.png", photo(index))
            for number in range(15):
                archive.writestr(f"a/{index}_{number}.xml", f"<xml>{index} {number}</xml>")
    page = upload(open_page("inspect", samples=""), ("voc.zip", packed.getvalue()))
    (said,) = [warning.value.replace("\\", "") for warning in page.warning]
    assert said == "900 files were left out: they are not images, or their first bytes are damaged (XML)."
    listed = next(frame for frame in page.dataframe if "file" in frame.value)
    assert list(listed.value["file"])[::899] == ["a/0_0.xml", "a/59_14.xml"]
    assert listed.value.iloc[0, 1].startswith("it is not an image, or its first bytes are damaged; save it as")
    assert len(names(page)) == 60
