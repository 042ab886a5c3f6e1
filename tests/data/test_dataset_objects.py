"""Dataset objects: labels as text, tensors and one of several; items of Hugging Face; subsets; images of any mode."""

import io
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from PIL import Image
from support.datasets import Items, lay, png
from torch.utils.data import ConcatDataset, Subset, TensorDataset
from torchvision.datasets import MNIST, ImageFolder
from torchvision.transforms import ToTensor

from se_viz.data.dataset_sources import UNLABELLED, DatasetRefused, dataset
from se_viz.data.images import ImageRefused, decode

IMAGE = Image.new("RGB", (10, 12), (200, 0, 0))


def labels(found):
    """The classes of the items in their order, as they are read."""
    order = np.argsort([int(name.removeprefix("item ")) for name in found.names])
    read = [found.read(int(index))[1] for index in order]
    return [found.classes[label] if label >= 0 else None for label in read]


def items(each, **options):
    return Items([(IMAGE, target) for target in each], **options)


@pytest.mark.parametrize(
    ("targets", "options"),
    [
        (["dog", "cat", "dog"], {"targets": ["dog", "cat", "dog"]}),
        (["dog", "cat", "dog"], {"classes": ["cat", "dog"]}),
        ([1, 0, 1], {"classes": ["cat", "dog"]}),
        ([torch.tensor(1), torch.tensor(0), torch.tensor([1])], {"classes": ["cat", "dog"]}),
        ([np.int64(1), np.array(0), np.uint8(1)], {"classes": ["cat", "dog"], "targets": np.array([1, 0, 1])}),
        ([1.0, False, True], {"classes": ["cat", "dog"], "targets": torch.tensor([1, 0, 1])}),
        ([np.eye(2)[1], np.eye(2)[0], np.eye(2)[1]], {"classes": ["cat", "dog"], "targets": np.eye(2)[[1, 0, 1]]}),
        ([[0, 1, 0], [1, 0, 0], [0, 1, 0]], {"classes": ["cat", "dog", "cow"]}),
        ([1, 0, 1], {"classes": {"dog": 1, "cat": 0}}),
        ([b"dog", b"cat", b"dog"], {"classes": ("cat", "dog")}),
    ],
)
def test_labels_in_many_forms(targets, options):
    assert labels(dataset(items(targets, **options))) == ["dog", "cat", "dog"]


def test_items_without_a_label_or_with_one_of_no_class_are_told_apart():
    found = dataset(items([0, -1, None, float("nan"), 7], classes=["a"]))
    assert [found.read(index)[1] for index in range(5)] == [0, UNLABELLED, UNLABELLED, UNLABELLED, 7]
    assert dataset(items([0, -1], targets=[0, -1])).labels.tolist() == [UNLABELLED, 0]
    found = dataset(items(["a", "x"], classes=["a"]))
    with pytest.raises(ImageRefused, match="its label 'x' is not one of the 1 classes"):
        found.read(1)


def test_labels_that_are_not_the_targets_are_said(tmp_path):
    folders = ImageFolder(lay(tmp_path, "a/1.png", "b/2.png"), target_transform=lambda target: 1 - target)
    with pytest.raises(ImageRefused, match="its label is 1, but the targets of this ImageFolder say 0"):
        dataset(folders).read(0)
    assert labels(dataset(items([1, 0], classes=["a", "b"], targets=[-1, 0]))) == ["b", "a"]


def test_classes_of_an_array_or_a_mapping_alone():
    assert labels(dataset(items([1, 0], classes=np.array(["cat", "dog"])))) == ["dog", "cat"]
    found = items([1, 0])
    found.class_to_idx = {"dog": 1, "cat": 0}
    assert labels(dataset(found)) == ["dog", "cat"]


@pytest.mark.parametrize(
    ("targets", "options"),
    [
        ([[0, 1, 1], [1, 0, 0]], {"classes": ["a", "b", "c"]}),
        ([np.array([0, 1, 1]), np.array([1, 0, 0])], {"targets": np.array([[0, 1, 1], [1, 0, 0]])}),
        ([["a", "b"], ["a"]], {"targets": [["a", "b"], ["a"]]}),
        ([[3, 7], [0, 1]], {"classes": ["a", "b"]}),
        ([{"boxes": []}, {"boxes": []}], {"classes": ["a"]}),
        ([0.25, 0.5], {"targets": [0.25, 0.5]}),
    ],
)
def test_several_labels_an_image_are_said_and_do_without_labels(targets, options):
    found = dataset(items(targets, **options))
    assert (found.classes, found.labels.tolist()) == ((), [UNLABELLED] * 2)
    assert "several labels each" in found.unlabelled
    assert found.read(0)[1] == UNLABELLED


def test_images_alone_have_no_labels():
    found = dataset([IMAGE, IMAGE])
    assert (found.classes, found.read(1)[1]) == ((), UNLABELLED)
    assert found.unlabelled == "the items of this list have none"


def test_numbers_that_are_no_classes_are_refused():
    with pytest.raises(DatasetRefused, match="go up to 2000000000"):
        dataset(items([2_000_000_000], targets=[2_000_000_000]))


class Features(dict):
    """As Hugging Face has them."""


class Named:
    names = ("cat", "dog")


class Rows:
    """A dataset of Hugging Face: columns by name, rows by number."""

    def __init__(self, rows, features):
        self.rows, self.features = rows, Features(features)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, key):
        return [row[key] for row in self.rows] if isinstance(key, str) else self.rows[key]


@pytest.mark.parametrize(("image", "label"), [("image", "label"), ("img", "fine_label"), ("image", "labels")])
def test_rows_of_hugging_face(image, label):
    rows = [{image: IMAGE, label: number, "id": 3} for number in (1, 0, 1)]
    found = dataset(Rows(rows, {image: None, label: Named(), "id": None}))
    assert labels(found) == ["dog", "cat", "dog"]
    assert found.labels.tolist() == [0, 1, 1]
    texts = [{image: IMAGE, label: name} for name in ("dog", "cat")]
    assert labels(dataset(Rows(texts, {image: None, label: None}))) == ["dog", "cat"]
    assert dataset({"train": Rows(rows, {label: Named()}), "validation": Rows(rows[:1], {label: Named()})}).name == (
        "Rows/validation"
    )


def test_rows_that_are_not_decoded_and_rows_without_an_image():
    rows = [{"image": {"bytes": png(7), "path": "1.png"}, "label": 0}]
    found = dataset(Rows(rows, {"label": Named()}))
    assert found.read(0)[0].rgb.getpixel((0, 0)) == (7, 7, 7)
    with pytest.raises(DatasetRefused, match=r"have no image \(they have text, label\)"):
        dataset(Rows([{"text": "x", "label": 0}], {"label": Named()}))
    assert isinstance(rows[0], Mapping)


def test_subsets_and_datasets_put_together(tmp_path):
    whole = ImageFolder(str(lay(tmp_path, "a/1.png", "b/2.png", "b/3.png")))
    part = dataset(Subset(whole, [2, 0]))
    assert (part.classes, part.labels.tolist()) == (("a", "b"), [0, 1])
    assert labels(part) == ["b", "a"]
    assert labels(dataset(Subset(Subset(whole, torch.tensor([2, 1, 0])), np.array([2])))) == ["a"]
    joined = dataset(ConcatDataset([whole, Subset(whole, [0])]))
    assert (joined.classes, joined.labels.tolist()) == (("a", "b"), [0, 0, 1, 1])
    with pytest.raises(DatasetRefused, match="without a transform"):
        dataset(Subset(ImageFolder(str(tmp_path), transform=ToTensor()), [0]))


def test_datasets_put_together_whose_classes_differ_are_not_merged_by_number(tmp_path):
    animals = ImageFolder(str(lay(tmp_path / "x", "cat/1.png", "dog/2.png")))
    birds = ImageFolder(str(lay(tmp_path / "y", "crow/3.png")))
    for joined in (
        ConcatDataset([animals, birds]),
        Subset(ConcatDataset([animals, birds]), [2]),
        ConcatDataset([animals, items([0])]),
    ):
        with pytest.raises(DatasetRefused, match=r"different classes \(cat, dog; (crow|none)\)"):
            dataset(joined)
    named = ConcatDataset(
        [items(["cat"], classes=["cat"], targets=["cat"]), items(["a"], classes=["a"], targets=["a"])]
    )
    assert labels(dataset(named)) == ["cat", "a"]


@pytest.mark.parametrize(
    "listed",
    [
        [{"image": IMAGE, "label": label} for label in ("dog", "cat", "dog", None)],
        [(IMAGE, label) for label in ("dog", "cat", "dog", None)],
        tuple([IMAGE, label] for label in (b"dog", "cat", "dog", None)),
    ],
)
def test_a_plain_list_with_texts_as_labels_has_their_classes(listed):
    found = dataset(listed)
    assert found.classes == ("cat", "dog")
    assert labels(found) == ["dog", "cat", "dog", None]


def test_plain_lists_put_together_have_the_classes_of_their_texts():
    joined = ConcatDataset([[(IMAGE, "dog")], Subset([(IMAGE, "cow"), (IMAGE, "cat")], [1])])
    found = dataset(joined)
    assert found.classes == ("cat", "dog")
    assert labels(found) == ["dog", "cat"]


def test_a_plain_list_with_numbers_as_labels_asks_for_names():
    with pytest.raises(DatasetRefused, match="give it a list `classes`, or give the items the names"):
        dataset([(IMAGE, 0), (IMAGE, "dog")])


def test_grey_digits_of_torchvision():
    digits = MNIST.__new__(MNIST)
    digits.data, digits.targets = torch.arange(4 * 784, dtype=torch.uint8).view(4, 28, 28), torch.tensor([3, 1, 3, 0])
    digits.transform = digits.target_transform = None
    found = dataset(digits)
    assert found.classes[3] == "3 - three"
    assert found.labels.tolist() == [0, 1, 3, 3]
    image, label = found.read(3)
    assert (image.rgb.mode, image.rgb.size, label) == ("RGB", (28, 28), 3)


def test_arrays_and_bytes_as_tensors_are_images():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    with pytest.raises(DatasetRefused, match="neither classes nor targets"):
        dataset([(pixels, 0)])
    rows = Items([(pixels, 0), (torch.from_numpy(pixels).permute(2, 0, 1), 0)], ["a"])
    for index in range(2):
        assert np.array_equal(np.asarray(dataset(rows).read(index)[0].rgb), pixels)
    stacked = TensorDataset(torch.zeros(3, 3, 9, 9, dtype=torch.uint8), torch.tensor([0, 1, 0]))
    stacked.classes = ["a", "b"]
    assert labels(dataset(stacked)) == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("I;16", (9, 9), 40000), (156,) * 3),
        (Image.new("RGBA", (9, 9), (255, 0, 0, 0)), (255,) * 3),
        (Image.new("LA", (9, 9), (0, 51)), (204,) * 3),
        (Image.new("CMYK", (9, 9), (255, 0, 0, 0)), (0, 255, 255)),
    ],
)
def test_images_are_converted_as_files_are(image, expected):
    assert dataset(Items([(image, 0)], ["a"])).read(0)[0].rgb.getpixel((0, 0)) == expected
    file = io.BytesIO()
    image.save(file, "TIFF")
    assert decode("a.tif", file.getvalue()).rgb.getpixel((0, 0)) == expected


def test_an_item_of_unknown_range_is_left_out_alone():
    found = dataset(Items([(Image.new("F", (9, 9)), 0), (IMAGE, 0)], ["a"]))
    with pytest.raises(ImageRefused, match="mode F"):
        found.read(0)
    assert found.read(1)[1] == 0
