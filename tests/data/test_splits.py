"""Folders, tar files, lists and dictionaries of several parts: one is taken, which is said and can be overruled."""

import pytest
from PIL import Image
from support.datasets import Items, lay, png, tar

from se_viz.data.dataset_sources import DatasetRefused, dataset
from se_viz.data.split_names import meaning, meaning_of_part


@pytest.mark.parametrize(
    ("names", "asked", "chosen"),
    [
        (("train", "val"), None, "val"),
        (("train", "valid"), None, "valid"),
        (("train", "validation"), "val", "validation"),
        (("Train", "Val"), None, "Val"),
        (("Train", "Val"), "train", "Train"),
        (("TRAIN", "TEST"), None, "TEST"),
        (("train", "dev"), "validation", "dev"),
        (("training", "testing"), None, "testing"),
        (("training_set", "test_set"), "test", "test_set"),
        (("train", "eval", "test"), None, "eval"),
        (("train2017", "val2017"), None, "val2017"),
        (("val", "valid", "train"), "valid", "valid"),
        (("train",), None, "train"),
    ],
)
def test_folders_are_splits_whatever_they_are_called(tmp_path, names, asked, chosen):
    lay(tmp_path, *(f"{name}/{kind}/{number}.png" for number, name in enumerate(names) for kind in ("a", "b")))
    found = dataset(tmp_path, asked)
    assert found.classes == ("a", "b")
    assert list(found.names) == [f"a/{names.index(chosen)}.png", f"b/{names.index(chosen)}.png"]
    assert found.name == f"{tmp_path.name}/{chosen}"
    assert f"{chosen} was taken (use --split, or split= in Python, for another)" in found.notes[0]


@pytest.mark.parametrize(
    "beside",
    [
        ".ipynb_checkpoints/1.png",
        ".git/HEAD",
        "__MACOSX/train/a/._1.png",
        "annotations/1.xml",
        "readme.txt",
        "labels/a/1.txt",
    ],
)
def test_what_lies_beside_the_splits_changes_nothing(tmp_path, beside):
    found = dataset(lay(tmp_path, "train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png", beside))
    assert (found.classes, len(found)) == (("a", "b"), 2)


def test_images_beside_two_splits_are_left_out_and_named(tmp_path):
    found = dataset(lay(tmp_path, "train/a/1.png", "val/a/1.png", "background/1.png"))
    assert (found.classes, len(found)) == (("a",), 1)
    assert "Beside the splits, background was left out." in found.notes


def test_classes_that_are_called_so_are_classes(tmp_path):
    vehicles = dataset(lay(tmp_path / "vehicles", "train/steam/1.png", "plane/2.png", "car/3.png"))
    assert (vehicles.classes, vehicles.notes) == (("car", "plane", "train"), ())
    flat = lay(tmp_path / "flat", "train/1.png", "test/2.png")
    found = dataset(flat)
    assert found.classes == ("test", "train")
    assert (
        "contain no class folders, so they are taken as classes (use --split, or split= in Python, to take one of them)"
        in found.notes[0]
    )
    assert dataset(flat, "test").names == ["2.png"]


def test_a_split_without_class_folders_is_taken_only_when_asked_for(tmp_path):
    lay(tmp_path, "train/a/1.png", "train/b/1.png", "test/1.png")
    assert dataset(tmp_path).name.endswith("/train")
    assert dataset(tmp_path, "test").classes == ()
    with pytest.raises(DatasetRefused, match=r"no 'val' in .* it has test, train"):
        dataset(tmp_path, "val")


def test_splits_may_lie_in_the_only_folder(tmp_path):
    found = dataset(lay(tmp_path, "pets/train/a/1.png", "pets/val/a/1.png", "pets/val/b/1.png"))
    assert found.classes == ("a", "b")
    assert found.name == f"{tmp_path.name}/val"


@pytest.mark.parametrize(
    ("root", "beside"),
    [
        ("images", ("annotations/1.xml", "labels/train/1.txt")),
        ("images", ()),
        ("x/y", ()),
        ("x/y/z", ("x/readme.txt", "x/docs/1.txt")),
        ("data", ("extras/1.png",)),
        ("x/y", ("z/1.png",)),
        ("data", ("extras/more/1.png", "test/1.png")),
    ],
)
def test_splits_may_lie_deeper(tmp_path, root, beside):
    lay(tmp_path, f"{root}/train/cat/1.png", f"{root}/train/dog/2.png", f"{root}/val/cat/3.png", *beside)
    found = dataset(tmp_path)
    assert (found.classes, list(found.names)) == (("cat",), ["cat/3.png"])
    assert dataset(tmp_path, "train").classes == ("cat", "dog")
    left = [name.split("/")[0] for name in beside if name.endswith(".png")]
    assert [note for note in found.notes if "Beside" in note] == (
        [f"Beside the splits, {', '.join(left)} {'was' if len(left) == 1 else 'were'} left out."] if left else []
    )


def test_splits_that_are_unpacked_into_folders_of_their_name(tmp_path):
    kinds = [f"{name}_set/{name}_set/{kind}/1.png" for name in ("training", "test") for kind in ("cats", "dogs")]
    lay(tmp_path, *kinds)
    for asked in (None, "train", "test"):
        assert dataset(tmp_path, asked).classes == ("cats", "dogs")


def test_classes_that_hold_splits_are_said(tmp_path):
    lay(tmp_path / "by_class", "cat/train/1.png", "cat/val/2.png", "dog/train/1.png", "dog/val/2.png", "cow/3.png")
    found = dataset(tmp_path / "by_class")
    assert found.classes == ("cat", "cow", "dog")
    assert (
        "Class cat (like 1 other class) contains folders called train, val, and the images of all of them"
        in found.notes[0]
    )
    lay(tmp_path / "two", "x/train/a/1.png", "x/val/a/2.png", "y/train/a/1.png", "y/val/a/2.png")
    assert "Class x (like 1 other class) contains folders called train, val" in dataset(tmp_path / "two").notes[0]


def test_a_split_that_is_a_link_to_nothing_is_said(tmp_path):
    lay(tmp_path, "train/a/1.png")
    (tmp_path / "val").symlink_to("/gone/val")
    found = dataset(tmp_path)
    assert found.name.endswith("/train")
    assert "val is a link to /gone/val, which does not exist." in found.notes


def test_images_beside_the_splits_are_counted(tmp_path):
    found = dataset(lay(tmp_path, "1.png", "train/a/1.png", "val/a/1.png"))
    assert found.notes[1:] == ("1 image beside the splits was left out.",)


def test_a_split_that_is_asked_for_in_a_dataset_without_splits_is_said(tmp_path):
    assert dataset(lay(tmp_path, "a/1.png"), "val").notes == (f"{tmp_path.name} has no splits: all of it was taken.",)


def test_tars_are_splits_by_their_names(tmp_path):
    for name, label in (("x-train-0000", b"a"), ("x-train-0001", b"b"), ("x-validation-00", b"c")):
        tar(tmp_path / f"{name}.tar", ("1.png", png(1)), ("1.cls", label))
    assert dataset(tmp_path).classes == dataset(tmp_path, "val").classes == ("c",)
    train = dataset(tmp_path, "train")
    assert train.classes == ("a", "b")
    assert train.name == f"{tmp_path.name}/train"
    assert "train was taken" in train.notes[0]
    with pytest.raises(DatasetRefused, match="no 'test'"):
        dataset(tmp_path, "test")
    # One tar file by its name is what it is called.
    assert dataset(tmp_path / "x-train-0000.tar", "val").classes == ("a",)


def test_tars_lie_in_the_folders_of_splits(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "valid").mkdir()
    tar(tmp_path / "train" / "0.tar", ("a/1.png", png()))
    tar(tmp_path / "valid" / "0.tar", ("b/1.png", png()))
    assert dataset(tmp_path).classes == ("b",)
    assert dataset(tmp_path, "train").classes == ("a",)


def test_a_split_of_a_folder_of_tars_beside_another(tmp_path):
    for name in ("train-0", "extra"):
        tar(tmp_path / f"{name}.tar", (f"{name}/1.png", png(1)))
    assert dataset(tmp_path).classes == ("extra", "train-0")
    found = dataset(tmp_path, "train")
    assert found.classes == ("train-0",)
    assert "Beside the splits, extra.tar was left out." in found.notes


def test_folders_in_a_tar_are_splits(tmp_path):
    path = tar(
        tmp_path / "x.tar",
        ("x/Train/a/1.png", png(1)),
        ("x/Validation/a/2.png", png(2)),
        ("x/Validation/b/3.png", png(3)),
        ("__MACOSX/x/Validation/b/._3.png", png(4)),
        ("x/Validation/.ipynb_checkpoints/4.png", png(5)),
        ("x/Validation/b/4.heic", b"x"),
    )
    found = dataset(path)
    assert (found.classes, len(found)) == (("a", "b"), 2)
    assert found.notes[1:] == ("1 HEIC file was left out: convert it to JPEG or PNG.",)
    assert len(dataset(path, "train")) == 1


def test_a_column_of_a_list_may_say_the_split(tmp_path):
    lay(tmp_path, "1.png", "2.png")
    (tmp_path / "list.csv").write_text("path,label,split\n1.png,a,train\n2.png,b,val\n")
    assert dataset(tmp_path / "list.csv").classes == ("b",)
    assert dataset(tmp_path / "list.csv", "train").classes == ("a",)


SPLITS = "path,label,split\n1.png,a,train\n2.png,b,val\n3.png,c,Validation\n4.png,d,\n5.png,e,extra\n"


@pytest.mark.parametrize(
    ("asked", "classes"),
    [(None, ("b", "c")), ("val", ("b", "c")), ("valid", ("b", "c")), ("TRAIN", ("a",)), ("extra", ("e",))],
)
def test_rows_of_another_split_or_of_none_are_left_out_and_counted(tmp_path, asked, classes):
    (tmp_path / "list.csv").write_text(SPLITS)
    found = dataset(tmp_path / "list.csv", asked)
    assert found.classes == classes
    assert "list.csv is split into " in found.notes[0]
    assert "train (1), val (1): " in found.notes[0]
    assert "in none of these splits" in found.notes[1]


def test_a_split_that_a_list_or_a_tar_does_not_have(tmp_path):
    (tmp_path / "list.csv").write_text(SPLITS)
    with pytest.raises(DatasetRefused, match=r"no 'test' in .*list\.csv; it has Validation, extra, train, val"):
        dataset(tmp_path / "list.csv", "test")
    (tmp_path / "folds.csv").write_text("path,label,split\n1.png,a,one\n2.png,b,two\n")
    with pytest.raises(DatasetRefused, match=r"no 'val' in .*folds\.csv; it has one, two"):
        dataset(tmp_path / "folds.csv", "val")
    assert dataset(tmp_path / "folds.csv", "two").classes == ("b",)
    assert dataset(tmp_path / "folds.csv").classes == ("a", "b")
    (tmp_path / "plain.csv").write_text("path,label\n1.png,a\n")
    assert dataset(tmp_path / "plain.csv", "val").notes == ("plain.csv has no splits: all of it was taken.",)
    path = tar(tmp_path / "x.tar", ("a/1.png", png(1)), ("b/2.png", png(2)))
    assert dataset(path, "val").notes == ("x.tar has no splits: all of it was taken.",)
    assert dataset(path).notes == ()


def test_a_split_of_a_tar_beside_other_images(tmp_path):
    path = tar(tmp_path / "x.tar", ("train/a/1.png", png(1)), ("b/2.png", png(2)))
    assert dataset(path).classes == ("a", "b")
    found = dataset(path, "train")
    assert (found.classes, len(found)) == (("a",), 1)
    assert found.notes[1] == "1 image that is in none of these splits was left out."


@pytest.mark.parametrize("prefix", ["", "data/", "x/y/z/"])
@pytest.mark.parametrize("twice", ["", "val_set/"])
def test_folders_below_the_class_in_a_tar(tmp_path, prefix, twice):
    path = tar(
        tmp_path / "x.tar",
        (f"{prefix}train/a/sub/0.png", png(0)),
        (f"{prefix}val/{twice}a/sub/deep/1.png", png(1)),
        (f"{prefix}val/{twice}b/2.png", png(2)),
    )
    for asked in (None, "val"):
        found = dataset(path, asked)
        assert (found.classes, len(found)) == (("a", "b"), 2)
    assert dataset(path, "train").classes == ("a",)


def test_classes_of_a_tar_that_hold_splits(tmp_path):
    names = [f"x/{kind}/{split}/1.png" for kind in ("cat", "dog") for split in ("train", "val")]
    path = tar(tmp_path / "x.tar", *((name, png(index)) for index, name in enumerate(names)))
    for asked in (None, "val"):
        found = dataset(path, asked)
        assert (found.classes, list(found.names)) == (
            ("cat", "dog"),
            ["x.tar/x/cat/val/1.png", "x.tar/x/dog/val/1.png"],
        )


def test_a_split_of_a_tar_without_class_folders(tmp_path):
    path = tar(
        tmp_path / "x.tar", ("train/1.png", png(1)), ("train/1.cls", b"a"), ("val/2.png", png(2)), ("val/2.cls", b"b")
    )
    assert dataset(path).classes == ("b",)
    flat = tar(tmp_path / "flat.tar", ("train/1.png", png(1)), ("test/2.png", png(2)))
    assert dataset(flat).classes == ("test", "train")
    assert (dataset(flat, "test").classes, len(dataset(flat, "test"))) == ((), 1)


def test_a_dictionary_of_datasets_holds_splits():
    image = Image.new("RGB", (9, 9))
    parts = {"train": Items([(image, 0)], ["a"]), "validation": Items([(image, 0)] * 2, ["b"])}
    assert (dataset(parts).classes, dataset(parts).name) == (("b",), "Items/validation")
    assert dataset(parts, "train").classes == ("a",)
    with pytest.raises(DatasetRefused, match="dict with keys x is not a dataset"):
        dataset({"x": parts["train"]})


def test_a_split_of_an_object_without_splits_is_said():
    found = dataset(Items([(Image.new("RGB", (9, 9)), 0)], ["a"]), "val")
    assert found.notes == ("This Items has no splits: all of it was taken.",)


def test_names():
    assert [meaning(name) for name in ("TRAIN", "valid", "Dev", "test-set", "trainer", "values", "")] == [
        "train",
        "val",
        "val",
        "test",
        "",
        "",
        "",
    ]
    names = ("imagenet-train-000001", "cats_val", "validation.00", "train-and-test", "trains-001")
    assert [meaning_of_part(name) for name in names] == ["train", "val", "val", "", ""]
