import io
import os
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image
from support.datasets import Items, lay, png, tar

from se_viz.data.dataset_sources import UNLABELLED, DatasetRefused, dataset, disambiguate
from se_viz.data.images import ImageRefused

IMAGES = [Image.new("RGB", (10, 12), (value, 0, 0)) for value in range(3)]


def test_a_folder_is_sorted_by_class_and_name(tmp_path):
    found = dataset(lay(tmp_path, "b/2.png", "b/deep/1.png", "a/9.jpg", "a/.hidden.png", "b/notes.txt"))
    assert found.classes == ("a", "b")
    assert list(found.names) == ["a/9.jpg", "b/2.png", "b/deep/1.png"]
    assert found.labels.tolist() == [0, 1, 1]
    image, label = found.read(1)
    assert (image.rgb.size, label) == ((12, 10), 1)


def test_a_folder_without_class_folders_has_no_labels(tmp_path):
    found = dataset(lay(tmp_path, "2.png", "1.png"))
    assert (found.classes, found.labels.tolist()) == ((), [UNLABELLED] * 2)
    assert dataset(lay(tmp_path, "cat/3.png")).labels.tolist() == [UNLABELLED, UNLABELLED, 0]


def test_of_train_and_val_one_is_taken(tmp_path):
    lay(tmp_path / "imagenette2-160", "train/n01440764/1.png", "val/n02102040/2.png", "val/n01440764/3.png")
    for path in (tmp_path, tmp_path / "imagenette2-160"):
        assert dataset(path).classes == ("tench", "English springer")
        assert len(dataset(path, "train")) == 1
    with pytest.raises(DatasetRefused, match=r"no 'test' in .* it has train, val"):
        dataset(tmp_path, "test")


def test_imagenette_in_a_tar_file_is_read_by_split(tiny_imagenette):
    found = dataset(tiny_imagenette)
    assert (len(found), len(dataset(tiny_imagenette, "train"))) == (10, 20)
    assert found.classes[0] == "tench"
    assert found.read(3)[0].rgb.size == (224, 224)


def test_a_csv_file_lists_paths_and_labels(tmp_path):
    lay(tmp_path, "x/1.png", "y/2.png", "y/3.png")
    path = tmp_path / "list.csv"
    path.write_text("\ufefflabel,path\n10,x/1.png\n9,y/2.png\n,y/3.png\n", encoding="utf-8")
    found = dataset(path)
    assert found.classes == ("9", "10")
    assert list(zip(found.names, found.labels.tolist(), strict=True)) == [
        ("y/3.png", -1),
        ("y/2.png", 0),
        ("x/1.png", 1),
    ]
    assert found.read(2)[1] == 1
    path.write_text("when,label\na,b\n")
    with pytest.raises(DatasetRefused, match=r"no column 'path' \(it has when, label\)"):
        dataset(path)
    path.write_text("path\n")
    with pytest.raises(DatasetRefused, match="lists no images"):
        dataset(path)
    path.write_bytes(b"path\n\xff\xfe\n")
    with pytest.raises(DatasetRefused, match="UTF-8"):
        dataset(path)


def test_webdataset_tars_take_labels_from_cls_json_or_the_folder(tmp_path):
    first = [("0.jpg.png", png(1)), ("0.cls", b"7"), ("1.png", png(2)), ("1.json", b'{"label": "cat", "x": 1}')]
    tar(tmp_path / "b.tar", *first, ("2.png", png(3)), ("2.json", b"{not json"), ("3.txt", b"words"))
    tar(tmp_path / "a.tar", ("dog/4.png", png(4)))
    found = dataset(tmp_path)
    assert found.classes == ("7", "cat", "dog")
    assert dict(zip(found.names, found.labels.tolist(), strict=True)) == {
        "b.tar/0.jpg.png": 0,
        "b.tar/1.png": 1,
        "b.tar/2.png": UNLABELLED,
        "a.tar/dog/4.png": 2,
    }
    assert [found.read(index)[0].rgb.getpixel((0, 0))[0] for index in range(4)] == [3, 1, 2, 4]


def test_tars_that_cannot_be_read_at_random_are_refused(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("1.png"))
    with pytest.raises(DatasetRefused, match="unpack it if it is compressed"):
        dataset(path)
    with pytest.raises(DatasetRefused, match="No images"):
        dataset(tar(path, ("1.txt", b"words")))


def test_a_dataset_object_is_sorted_by_its_targets(tmp_path):
    items = list(zip(IMAGES, (1, 0, np.int64(1)), strict=True))
    found = dataset(Items(items, [("tench", "Tinca"), "dog"], torch.tensor([1, 0, 1])[:].tolist()))
    assert found.classes == ("tench", "dog")
    assert list(found.names) == ["item 1", "item 0", "item 2"]
    image, label = found.read(2)
    assert (image.rgb.getpixel((0, 0)), label) == ((2, 0, 0), 1)
    assert len({found.read(index)[0].sha256 for index in range(3)}) == 3
    late = dataset(Items(items, ["a", "b"]))
    assert late.labels.tolist() == [UNLABELLED] * 3
    assert late.read(1)[1] == 0


def test_a_broken_item_is_refused_alone():
    class Broken(Items):
        def __getitem__(self, index):
            if index == 1:
                raise OSError("cut short")
            return super().__getitem__(index)

    found = dataset(Broken([(image, 0) for image in IMAGES], ["a"]))
    with pytest.raises(ImageRefused, match="cut short"):
        found.read(1)
    assert found.read(2)[1] == 0


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Items([]), "no items"),
        (Items([(torch.zeros(3, 4, 4), 0)], ["a"]), "without a transform"),
        (Items([("1.png", 0)], ["a"]), "without a transform"),
        (Items([(IMAGES[0], 0)]), "neither classes nor targets"),
        (3, "A int is not a dataset"),
        ("/nowhere/at/all", "There is no file or folder /nowhere"),
    ],
)
def test_what_is_no_dataset_is_refused_with_a_sentence(source, said):
    with pytest.raises(DatasetRefused, match=said):
        dataset(source)


def test_an_empty_folder_is_refused_and_a_missing_file_is_a_refused_image(tmp_path):
    with pytest.raises(DatasetRefused, match="one folder of images for each class"):
        dataset(tmp_path)
    found = dataset(lay(tmp_path, "a/1.png"))
    (tmp_path / "a" / "1.png").unlink()
    with pytest.raises(ImageRefused, match="No such file"):
        found.read(0)


def test_the_hash_sees_names_labels_and_classes(tmp_path):
    first = dataset(lay(tmp_path / "x", "a/1.png", "b/2.png"))
    assert first.sha256 == dataset(lay(tmp_path / "y", "a/1.png", "b/2.png")).sha256
    others = [lay(tmp_path / "z", "a/1.png", "a/2.png"), lay(tmp_path / "u", "a/1.png", "c/2.png")]
    assert len({first.sha256, *(dataset(path).sha256 for path in others)}) == 3
    assert dataset(first) is first


def test_classes_of_one_name_get_their_numbers():
    assert disambiguate(["crane", "dog", "crane"]) == ("crane (0)", "dog", "crane (2)")


def test_an_image_that_breaks_when_it_is_decoded_is_left_out_alone():
    content = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(content, "JPEG")
    broken = Image.open(io.BytesIO(content.getvalue()[:700]))
    found = dataset(Items([(IMAGES[0], 0), (broken, 0), (IMAGES[1], 0)], classes=["a"], targets=[0, 0, 0]))
    assert found.read(2)[1] == 0
    with pytest.raises(ImageRefused, match="cannot be read"):
        found.read(1)


def test_names_that_are_not_utf_8_can_be_written_down(tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    found = dataset(lay(tmp_path, f"{odd}/1.png", "other/2.png"))
    assert found.classes == ("caf\ufffd", "other")
    assert len(found.sha256) == 64
    assert found.read(0)[1] == 0


def test_imagenets_classes_keep_their_ids(tmp_path):
    assert dataset(lay(tmp_path / "ten", "n01440764/1.png", "n02102040/2.png")).classes == ("tench", "English springer")
    ids = ("n01440764", "n01443537")
    assert dataset(lay(tmp_path / "thousand", *(f"{one}/1.png" for one in ids))).classes == ids
