import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.datasets import png

from se_viz.data.class_folders import labels_of_uploads
from se_viz.data.file_kinds import apart, is_clutter, label_of, left_out
from se_viz.data.image_files import read


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("pets/cats/1.jpg", "pets/cats/1.jpg"),
        ("1.jpg", "1.jpg"),
        ("./1.jpg", "1.jpg"),
        ("C:\\photos\\1.jpg", "photos/1.jpg"),
        ("pets/._1.jpg", ""),
        ("pets/.DS_Store", ""),
        ("pets/Thumbs.db", ""),
        ("__MACOSX/pets/1.jpg", ""),
        ("pets/.git/1.jpg", ""),
    ],
)
def test_labels_of_paths(path, label):
    assert label_of(path) == label


def test_names_that_are_alike_are_told_apart():
    given_names = ["image.jpg", "image.jpg", "a/image.jpg", "image (2).jpg", "image.jpg", "none", "none"]
    assert apart(given_names) == [
        "image.jpg",
        "image (2).jpg",
        "a/image.jpg",
        "image (2) (2).jpg",
        "image (3).jpg",
        "none",
        "none (2)",
    ]


@given(st.lists(st.sampled_from(["a.b", "a (2).b", "a (2) (2).b", "a", "x/a.b", "x.y/a"])))
def test_no_two_are_alike_and_the_first_of_each_keeps_its_name(listed):
    told = apart(listed)
    assert len(set(told)) == len(told) == len(listed)
    assert all(new.rpartition("/")[0] == old.rpartition("/")[0] for new, old in zip(told, listed, strict=True))
    if listed:
        assert told[0] == listed[0]


def test_uploads_keep_their_folders_and_those_of_systems_are_ignored():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("pets/cats/1.jpg", png(9))
        packed.writestr("__MACOSX/pets/cats/._1.jpg", b"x")
        packed.writestr("pets/Thumbs.db", b"x")
    uploads = [
        ("pets/cats/1.jpg", png(1)),
        ("pets/dogs/1.jpg", png(2)),
        ("pets/._1.jpg", b"resource fork"),
        ("pets/.DS_Store", b"x"),
        ("pets/cats/Thumbs.db", b"x"),
        ("desktop.ini", b"x"),
        ("image.jpg", png(3)),
        ("image.jpg", png(4)),
        ("image.jpg", png(5)),
        ("pets.zip", archive.getvalue()),
    ]
    labels, _, _ = labels_of_uploads([name for name, _ in uploads])
    result = read((label, content) for label, (_, content) in zip(labels, uploads, strict=True))
    assert [image.name for image in result.images] == [
        "cats/1.jpg",
        "dogs/1.jpg",
        "image.jpg",
        "image (2).jpg",
        "image (3).jpg",
        "cats/1 (2).jpg",
    ]
    assert result.refusals == ()


def test_what_was_left_out_is_counted_by_format():
    assert left_out({".heic": 311, ".heif": 1, ".nef": 1, ".xml": 2, "": 1, ".zip": 1, ".gz": 1, ".rar": 1}) == [
        "312 HEIC files were left out: convert them to JPEG or PNG.",
        "1 ZIP file was left out: unpack it, or give a ZIP archive by itself, which is read.",
        "2 archive files were left out: unpack them.",
        "1 camera raw file was left out: convert it to JPEG or PNG.",
        "3 other files were left out, as they are not images (2 .xml, 1 without a suffix).",
    ]
    assert left_out({}) == []
    assert is_clutter(".heic")
