"""The class folder of an image is the same in an upload, an archive, a folder and a dataset."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.images import encoded

from se_viz.analysis.resemblance import groups
from se_viz.data.class_folders import folder_of, labels_of, labels_of_uploads
from se_viz.data.dataset_sources import dataset
from se_viz.data.image_files import read, read_paths
from se_viz.data.images_in_memory import from_images, in_folders

LAYOUTS = {
    "one folder of that name in each": (["a/cats/1.png", "b/cats/1.png"], ["a/cats/1.png", "b/cats/1.png"]),
    "a folder around": (["p/cats/1.png", "p/dogs/1.png"], ["cats/1.png", "dogs/1.png"]),
    "two folders around": (["p/q/cats/1.png", "p/q/dogs/1.png"], ["cats/1.png", "dogs/1.png"]),
    "folders in a class": (
        ["p/cats/x/1.png", "p/cats/y/1.png", "p/dogs/x/1.png"],
        ["cats/x/1.png", "cats/y/1.png", "dogs/x/1.png"],
    ),
    "beside the classes": (["p/0.png", "p/cats/1.png", "p/dogs/1.png"], ["0.png", "cats/1.png", "dogs/1.png"]),
    "beside a folder around": (["0.png", "p/cats/1.png", "p/dogs/1.png"], ["0.png", "cats/1.png", "dogs/1.png"]),
    "a class that is called as a split": (["bus/1.png", "train/1.png"], ["bus/1.png", "train/1.png"]),
    "other files": (
        ["notes/a/b.txt", "p/cats/1.png", "p/dogs/1.png"],
        ["notes/a/b.txt", "cats/1.png", "dogs/1.png"],
    ),
    "of systems": (["__MACOSX/p/cats/._1.png", "p/cats/1.png", "p/dogs/1.png"], ["", "cats/1.png", "dogs/1.png"]),
}
OF_SPLITS = {
    "splits": (
        ["d/train/cats/1.png", "d/val/cats/1.png", "d/val/dogs/1.png"],
        ["cats/1.png", "cats/1.png", "dogs/1.png"],
    ),
    "splits in classes": (["cats/train/1.png", "dogs/train/1.png"], ["cats/1.png", "dogs/1.png"]),
    "splits alone": (["train/1.png", "val/1.png"], ["train/1.png", "val/1.png"]),
}


def png(number):
    return encoded(Image.fromarray(np.full((16, 16, 3), number, np.uint8)))


def packed(paths):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, path in enumerate(paths):
            archive.writestr(path, png(number) if path.endswith(".png") else b"words")
    return out.getvalue()


@pytest.mark.parametrize("layout", {**LAYOUTS, **OF_SPLITS})
def test_labels_begin_with_the_class(layout):
    paths, labels = {**LAYOUTS, **OF_SPLITS}[layout]
    assert labels_of(paths) == labels


def write(folder, paths):
    """Write the files to an archive u.zip and a folder u."""
    (folder / "u.zip").write_bytes(packed(paths))
    for number, path in enumerate(paths):
        (folder / "u" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "u" / path).write_bytes(png(number) if path.endswith(".png") else b"words")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_classes_of_a_page_are_those_of_a_command(tmp_path, layout):
    paths, labels = LAYOUTS[layout]
    write(tmp_path, paths)
    command = dataset(tmp_path / "u.zip")
    uploads = [(f"u/{path}", (tmp_path / "u" / path).read_bytes()) for path in paths]
    shown = sorted(label for label in labels if label.endswith(".png"))
    of_uploads, _, _ = labels_of_uploads([name for name, _ in uploads])
    of_folder = read((label, content) for label, (_, content) in zip(of_uploads, uploads, strict=True))
    for intake in (read([("u.zip", packed(paths))]), of_folder, read_paths(tmp_path / "u")):
        assert sorted(image.name for image in intake.images) == shown
        page = from_images(intake.images)
        assert page.classes == command.classes
        assert np.bincount(page.labels).tolist() == np.bincount(command.labels[command.labels >= 0]).tolist()
        drawn = groups([image.name for image in intake.images], [None] * len(intake.images))
        assert sorted(set(drawn) - {"without a folder"}) == sorted(in_folders(intake.images)) == list(page.classes)


SPLIT = {
    "splits": (
        ["d/train/cats/1.png", "d/train/dogs/2.png", "d/Validation/cats/3.png", "d/Validation/dogs/4.png", "d/a.txt"],
        {None: {"cats": 1, "dogs": 1}, "TRAIN": {"cats": 1, "dogs": 1}},
    ),
    "at the top": (["Train/a/1.png", "Test/a/2.png", "Test/b/3.png"], {None: {"a": 1, "b": 1}, "train": {"a": 1}}),
    "twice": (["test_set/test_set/a/1.png", "train_set/train_set/b/2.png"], {None: {"a": 1}, "train": {"b": 1}}),
    "one": (["train/a/1.png", "train/b/2.png"], {None: {"a": 1, "b": 1}}),
    "beside others": (["train/a/1.png", "val/b/2.png", "extra/3.png"], {None: {"b": 1}, "train": {"a": 1}}),
    "folders in a class": (["train/a/x/1.png", "val/a/x/2.png", "val/b/3.png"], {None: {"a": 1, "b": 1}}),
    "classes": (["train/1.png", "val/2.png"], {None: {"train": 1, "val": 1}}),
    "a class of that name": (["train/steam/1.png", "plane/2.png"], {None: {"plane": 1, "train": 1}}),
}


def counts(found):
    taken = found.labels[found.labels >= 0]
    return dict(zip(found.classes, np.bincount(taken, minlength=len(found.classes)).tolist(), strict=True))


@pytest.mark.parametrize("layout", SPLIT)
def test_a_page_takes_the_split_that_a_command_takes(tmp_path, layout):
    paths, expected = SPLIT[layout]
    write(tmp_path, paths)
    for asked, classes in expected.items():
        commands = [dataset(tmp_path / "u.zip", asked), dataset(tmp_path / "u", asked)]
        uploads, choices, refusals = labels_of_uploads([f"u/{path}" for path in paths], asked)
        assert not refusals
        named = ((label, (tmp_path / "u" / path).read_bytes()) for label, path in zip(uploads, paths, strict=True))
        zips = [read([("u.zip", packed(paths))], split=asked, trusted=trusted) for trusted in (False, True)]
        intakes = [*zips, read_paths(tmp_path / "u", split=asked), replace(read(named), splits=tuple(choices))]
        for intake in intakes:
            folders = {folder: len(images) for folder, images in in_folders(intake.images).items()}
            assert folders == classes
            sentences = [line for choice in intake.splits for line in choice.sentences()]
            chosen = [line.partition(": ")[2] for line in (*commands[0].notes, *sentences) if "is split" in line]
            assert len(set(chosen)) <= 1  # "val was taken (use --split, or split= in Python, for another)."
            assert len(chosen) in (0, 2)
        assert [counts(found) for found in commands] == [classes, classes]


def test_an_archive_or_folder_without_the_split_that_is_asked_for_is_left_out(tmp_path):
    paths = ["train/a/1.png", "val/b/2.png"]
    for trusted in (False, True):
        intake = read([("u.zip", packed(paths))], split="test", trusted=trusted)
        assert intake.refusals == ("u.zip was left out: there is no 'test' in u.zip; it has train, val.",)
    labels, choices, refusals = labels_of_uploads([f"u/{path}" for path in paths], "test")
    assert (labels, choices) == (["", ""], [])
    assert refusals == ["u was left out: there is no 'test' in u; it has train, val."]


def test_uploads_of_several_folders_are_told_apart_each_by_itself():
    paths = ["1.png", "pets/cats/1.png", "pets/dogs/1.png", "cars/1.png"]
    assert labels_of_uploads(paths)[0] == ["1.png", "cats/1.png", "dogs/1.png", "cars/1.png"]
    assert [folder_of(label) for label in labels_of_uploads(paths)[0]] == ["", "cats", "dogs", "cars"]
