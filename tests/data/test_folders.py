"""Which images a folder holds: clutter is passed over, links are followed once."""

import os

import pytest
from support.datasets import lay, png
from torchvision.datasets import ImageFolder

from se_viz.data.dataset_sources import DatasetRefused, dataset
from se_viz.data.folders import find_images, holds_image
from se_viz.data.image_files import read_paths


@pytest.mark.parametrize(
    "clutter",
    [
        ".ipynb_checkpoints/1-checkpoint.png",
        ".git/x/1.png",
        "__MACOSX/a/1.png",
        "@eaDir/1.png",
        "$RECYCLE.BIN/1.png",
        "a/._1.png",
        "a/.hidden/1.png",
        "__pycache__/1.png",
    ],
)
def test_hidden_folders_and_those_of_systems_are_no_classes(tmp_path, clutter):
    found = dataset(lay(tmp_path, "a/1.png", "b/2.png", clutter))
    assert (found.classes, list(found.names), found.notes) == (("a", "b"), ["a/1.png", "b/2.png"], ())


def test_folders_without_images_are_no_classes_and_what_they_hold_is_said(tmp_path):
    lay(tmp_path, "a/1.png", "annotations/1.xml", "annotations/2.xml", "b/1.heic", "b/2.HEIC", "c/2.png", "notes.txt")
    (tmp_path / "empty").mkdir()
    found = dataset(tmp_path)
    assert found.classes == ("a", "c")
    assert found.notes == (
        "b is not used as a class: none of its images can be read (HEIC).",
        "2 HEIC files were left out: convert them to JPEG or PNG.",
        "3 other files were left out, as they are not images (2 .xml, 1 .txt).",
    )
    (tmp_path / "a" / "1.png").unlink()
    (tmp_path / "c" / "2.png").unlink()
    with pytest.raises(DatasetRefused, match=r"No images in .* 2 HEIC files were left out: convert"):
        dataset(tmp_path)


def test_linked_class_folders_and_files_are_read_as_image_folder_reads_them(tmp_path):
    lay(tmp_path / "store", "one/1.png", "one/deep/2.png", "two/3.png")
    root = lay(tmp_path / "root", "real/0.png")
    (root / "cats").symlink_to(tmp_path / "store" / "one")
    (root / "again").symlink_to(tmp_path / "store" / "one", target_is_directory=True)
    (root / "real" / "link.png").symlink_to(tmp_path / "store" / "two" / "3.png")
    found, theirs = dataset(root), ImageFolder(str(root))
    assert list(found.classes) == theirs.classes
    assert list(found.names) == [os.path.relpath(path, root) for path, _ in theirs.samples]
    assert found.read(5)[0].rgb.getpixel((0, 0)) == theirs[5][0].getpixel((0, 0))


def test_a_cycle_of_links_ends_and_a_folder_counts_once_in_a_class(tmp_path):
    lay(tmp_path, "a/1.png", "a/z/2.png", "b/3.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "first").symlink_to(tmp_path / "a" / "z")
    (tmp_path / "all").symlink_to(tmp_path)
    assert find_images(tmp_path).images == ["a/1.png", "a/b/3.png", "a/z/2.png", "b/3.png", "b/a/1.png", "b/a/z/2.png"]
    assert holds_image(tmp_path, below=True)


def test_many_links_to_each_other_take_no_longer_than_their_folders(tmp_path):
    for number in range(20):
        folder = lay(tmp_path, f"class/{number}/1.png") / "class" / str(number)
        for way in "xy":
            (folder / way).symlink_to(tmp_path / "class" / str((number + 1) % 20))
    assert len(find_images(tmp_path).images) == 20


def test_links_that_lead_nowhere_cost_a_sentence_each(tmp_path):
    lay(tmp_path, "a/1.png")
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "a" / "loop.png").symlink_to(tmp_path / "a" / "loop.png")
    found = dataset(tmp_path)
    assert list(found.names) == ["a/1.png", "a/gone.png", "a/loop.png"]
    for index, said in ((1, "No such file"), (2, "symbolic links")):
        with pytest.raises(ValueError, match=said):
            found.read(index)


def test_a_class_folder_that_is_a_link_to_nothing_is_said(tmp_path):
    lay(tmp_path, "cat/1.png")
    (tmp_path / "dog").symlink_to("/gone/dog")
    (tmp_path / "cat" / "round").symlink_to(tmp_path / "cat" / "round")
    found = dataset(tmp_path)
    assert found.classes == ("cat",)
    assert "dog is a link to /gone/dog, which does not exist." in found.notes
    assert any(note.startswith("round is a link to /") for note in found.notes)
    assert len(found.notes) == 2


def test_a_pipe_is_no_image(tmp_path):
    lay(tmp_path, "a/1.png")
    os.mkfifo(tmp_path / "a" / "2.png")
    with pytest.raises(ValueError, match="not a regular file"):
        dataset(tmp_path).read(1)


def test_a_folder_that_may_not_be_opened_is_said(tmp_path, monkeypatch):
    lay(tmp_path, "a/1.png", "b/2.png")
    scandir = os.scandir

    def guarded(path):
        if os.fspath(path).endswith("b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    found = dataset(tmp_path)
    assert (found.classes, found.notes) == (("a",), ("b was left out: Permission denied; check the path.",))


def test_tiff_and_ppm_are_images(tmp_path):
    from PIL import Image

    (tmp_path / "a").mkdir()
    for name in ("1.tif", "2.TIFF", "3.ppm", "4.pgm"):
        Image.new("L" if name.endswith("pgm") else "RGB", (9, 9)).save(tmp_path / "a" / name)
    found = dataset(tmp_path)
    assert len(found) == 4
    assert [found.read(index)[0].rgb.size for index in range(4)] == [(9, 9)] * 4


def test_folders_of_images_are_read_by_the_same_rules(tmp_path):
    lay(tmp_path / "photos", "a/1.png", "a/._1.png", "__MACOSX/a/1.png", "b/x.heic", "words.txt")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "c").symlink_to(tmp_path / "photos" / "a")
    intake = read_paths([tmp_path / "photos", tmp_path / "linked"])
    assert [image.name for image in intake.images] == ["a/1.png"]
    assert intake.refusals == (
        "c/1.png was left out: it is the same file as a/1.png.",
        "1 HEIC file was left out: convert it to JPEG or PNG.",
    )
    assert png() == (tmp_path / "photos" / "a" / "1.png").read_bytes()


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (("Cats", "cats", "dogs"), "Cats and cats are counted as different classes"),
        (("caf\u00e9", "cafe\u0301"), "cafe\u0301 and caf\u00e9 are counted as different classes"),
        (("a b", "a  b", "B", "b"), "(like 1 more)"),
        (("cats", "dogs", "dogs2"), ""),
    ],
)
def test_classes_whose_names_look_alike_are_told(tmp_path, folders, said):
    lay(tmp_path, *(f"{folder}/1.png" for folder in folders))
    found = dataset(tmp_path)
    assert len(found.classes) == len(folders)
    assert said in " ".join(found.notes)
    assert bool(found.notes) == bool(said)
