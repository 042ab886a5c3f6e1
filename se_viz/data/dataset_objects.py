"""A dataset object (torchvision's, a list, Hugging Face's, a Subset of one) → images with their classes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import PIL.Image
from torch import Tensor

from se_viz.data import splits
from se_viz.data.colours import SWAPS_SIDES, TURNS, orientation_of
from se_viz.data.dataset import UNLABELLED, Dataset
from se_viz.data.images import ImageRefused, InputImage, decode
from se_viz.data.list_columns import IMAGE, LABEL, column
from se_viz.data.object_labels import SEVERAL, Classes, Label, as_label, classes_of, targets_of
from se_viz.data.python_images import InputRefused, rgb_image
from se_viz.data.rejected import DatasetRefused
from se_viz.data.split_names import meaning
from se_viz.types import Int32s, Positions

_PAIR = 2
_TRIED = 8
_AGREE = "make it without a target_transform, or give targets that are the labels of its items"


@runtime_checkable
class Indexed(Protocol):
    """An object like a torchvision dataset: a length, and (image, label) by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> object: ...


@dataclass(frozen=True, slots=True)
class _Item:
    """An item's image, and its label or None."""

    image: object
    label: Label | None


def from_object(source: object, split: str | None) -> Dataset:
    """Return the dataset of an object.

    Raises:
        DatasetRefused: the object has no length or no items, its items hold no images, or its classes are not known.
    """
    kind = type(source).__name__
    notes = [f"This {kind} has no splits: all of it was taken."] if split is not None else []
    if isinstance(source, Mapping):
        chosen, notes = _chosen_split(source, split)
        source = source[chosen]
        kind = f"{type(source).__name__}/{chosen}"
    if not isinstance(source, Indexed):
        raise DatasetRefused(f"A {kind} is not a dataset: give a path, or an object with a length and items by index.")
    count = len(source)
    if not count:
        raise DatasetRefused(f"This {kind} has no items.")
    targets, classes = targets_of(source, count), classes_of(source)
    if targets is None and classes is None:
        targets = _texts(source, kind)
    known = [None if target == SEVERAL else target for target in targets or ()]
    several = targets is not None and SEVERAL in targets
    if not several and classes is None and targets is not None:
        classes = Classes.of_targets(known, kind)
    labels = _labels(known, classes, count)
    order: Positions = np.argsort(labels, kind="stable")
    # The first item that can be read, as item 0 may be broken.
    tried = (_item(source, kind, int(number)) for number in order[:_TRIED])
    first = next((item for item in tried if not isinstance(item, str)), None)
    if isinstance(first, DatasetRefused):
        raise first
    advice = f"the items of this {kind} have none"
    if several or (isinstance(first, _Item) and first.label == SEVERAL):
        advice = (
            f"the items of this {kind} have several labels each, or targets that are not classes, and an image counts "
            "for one class: give one label"
        )
        classes, labels, order = None, np.full(count, UNLABELLED, np.int32), np.arange(count)
    elif classes is None and isinstance(first, _Item) and first.label is not None:
        raise DatasetRefused(
            f"This {kind} has neither classes nor targets, so its classes are not known: give it a list `classes`, "
            "or give the items the names of their classes as labels."
        )

    def read(index: int) -> tuple[InputImage, int]:
        number = int(order[index])
        name = f"item {number}"
        item = _item(source, kind, number)
        if not isinstance(item, _Item):
            raise ImageRefused(name, str(item))
        return _image(name, item.image), _code(name, item.label, classes, int(sorted_labels[index]), kind)

    sorted_labels = labels[order]
    names = [f"item {number}" for number in order]
    return Dataset(kind, "python", classes.names if classes else (), names, sorted_labels, read, tuple(notes), advice)


def _chosen_split(source: Mapping[str, object], split: str | None) -> tuple[str, list[str]]:
    """Return the split to read of a mapping from splits to datasets, and sentences on the others."""
    kind = type(source).__name__
    if not source:
        raise DatasetRefused(f"This {kind} has no items.")
    if not all(isinstance(name, str) and meaning(name) for name in source):
        keys = ", ".join(map(str, source))
        raise DatasetRefused(f"A {kind} with keys {keys} is not a dataset: give one of its values.")
    chosen = splits.choose(source, split, f"this {kind}")
    return chosen, splits.choice_sentences(source, chosen, f"This {kind}")


def _code(item: str, label: Label | None, classes: Classes | None, listed: int, kind: str) -> int:
    """Return the class number of an item that is read.

    Raises:
        ImageRefused: the item has several labels, one of no class, or another one than the targets of the dataset list.
    """
    code = UNLABELLED if classes is None else classes.code(item, label)
    if UNLABELLED not in (code, listed) and code != listed:
        raise ImageRefused(item, f"its label is {label}, but the targets of this {kind} say {listed}; {_AGREE}")
    return code


def _texts(source: Indexed, kind: str) -> list[Label | None] | None:
    """Return the labels of items in memory if they are strings; None for other objects or labels."""
    if not _in_memory(source):
        return None
    taken = (_item(source, kind, number) for number in range(len(source)))
    labels = [item.label if isinstance(item, _Item) else None for item in taken]
    texts = all(label is None or (isinstance(label, str) and label != SEVERAL) for label in labels)
    return labels if texts and any(labels) else None


def _in_memory(source: object) -> bool:
    """Return whether an object is a list, a subset of one, or a concatenation of several."""
    parts = getattr(source, "datasets", None)
    if isinstance(parts, list | tuple) and parts:
        return all(map(_in_memory, parts))
    inner = getattr(source, "dataset", None)
    return isinstance(source, list | tuple) or (hasattr(source, "indices") and _in_memory(inner))


def _labels(known: Sequence[Label | None], classes: Classes | None, count: int) -> Int32s:
    if classes is None or not known:
        return np.full(count, UNLABELLED, np.int32)
    return np.array([classes.number(label) for label in known], np.int32)


def _item(source: Indexed, kind: str, index: int) -> "_Item | DatasetRefused | str":
    """Return item ``index``; a sentence if it cannot be read; an exception to raise if no item will be usable."""
    try:
        item = source[index]
    except Exception as error:  # noqa: BLE001
        # Datasets raise errors of any type, and one broken image must not stop the others.
        return f"it cannot be read ({error})"
    if isinstance(item, Mapping):
        keys = list(item)
        image, label = (column([str(key) for key in keys], names) for names in (IMAGE, LABEL))
        if image is None:
            return DatasetRefused(f"Items of this {kind} have no image (they have {', '.join(map(str, keys))}).")
        item = (item[keys[image]], None if label is None else item[keys[label]])
    elif _is_image(item):
        item = (item, None)
    if isinstance(item, tuple | list) and len(item) == _PAIR and _is_image(item[0]):
        return _Item(item[0], as_label(item[1]))
    return DatasetRefused(
        f"Items of this {kind} are not (PIL image, label): make it without a transform, "
        "as the model's own preprocessing is applied."
    )


def _is_image(thing: object) -> bool:
    if isinstance(thing, Mapping):  # Hugging Face's form of an image that is not decoded
        return isinstance(thing.get("bytes"), bytes)
    return isinstance(thing, PIL.Image.Image | np.ndarray | InputImage) or (
        isinstance(thing, Tensor) and not thing.is_floating_point() and thing.ndim > 1
    )


def _image(name: str, image: object) -> InputImage:
    if isinstance(image, InputImage):
        return image
    if isinstance(image, Mapping):
        return decode(name, image["bytes"])
    try:
        converted = rgb_image(image, "it")  # type: ignore[arg-type]
    except InputRefused as refused:
        raise ImageRefused(name, str(refused).rstrip(".")) from None
    size = converted.size
    if isinstance(image, PIL.Image.Image):
        turned = TURNS.get(orientation_of(image)) in SWAPS_SIDES
        size = image.size[::-1] if turned else image.size
    content = "×".join(map(str, size)).encode() + converted.tobytes()
    return InputImage(name, hashlib.sha256(content).hexdigest(), converted, size)
