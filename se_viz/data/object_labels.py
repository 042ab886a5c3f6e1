"""Labels of dataset objects (numbers, tensors, text, one-hot, several) → class numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from torch import Tensor

from se_viz.data.dataset import UNLABELLED, disambiguate
from se_viz.data.images import ImageRefused
from se_viz.data.list_columns import LABEL, column
from se_viz.data.rejected import DatasetRefused, shown

# The label of an item that belongs to several classes, or whose target is not a class: boxes, masks, captions.
SEVERAL: Final = "\0several"
Label: TypeAlias = int | str

_LISTED = 5
_MOST_CLASSES = 100_000
_RANGE = np.iinfo(np.int32)
_NAMES = ("classes", "categories", "class_names", "class_to_idx")
_TARGETS = ("targets", "labels", "_labels", "y")


@dataclass(frozen=True)
class Classes:
    """The names of the classes, and the number of each name as written; a label is a class number or such a name."""

    names: tuple[str, ...]
    written: Mapping[str, int]

    @classmethod
    def named(cls, listed: Sequence[object]) -> "Classes":
        """Return the classes of a list of names; torchvision's Imagenette has several names for each class."""
        names = [str(name[0]) if isinstance(name, list | tuple) and name else str(name) for name in listed]
        return cls(disambiguate(names), {name: number for number, name in reversed(list(enumerate(names)))})

    @classmethod
    def of_targets(cls, targets: Sequence[Label | None], kind: str) -> "Classes | None":
        """Return the classes of the items' labels: strings in sorted order, or numbers up to the largest."""
        texts = sorted({target for target in targets if isinstance(target, str)})
        if texts:
            return cls.named(texts)
        top = max((target for target in targets if isinstance(target, int)), default=UNLABELLED)
        if top >= _MOST_CLASSES:
            raise DatasetRefused(f"The targets of this {kind} go up to {top}, so they are not class numbers.")
        return cls.named(range(top + 1)) if top >= 0 else None

    def number(self, label: Label | None) -> int:
        """Return the number of a class; UNLABELLED without a label, or for a name that is not a class."""
        if isinstance(label, str):
            return self.written.get(label, UNLABELLED)
        return UNLABELLED if label is None else int(np.clip(label, _RANGE.min, _RANGE.max))

    def code(self, item: str, label: Label | None) -> int:
        """Return the class number of an item that is read.

        Raises:
            ImageRefused: the item has several labels, or one that is not the name of a class.
        """
        if label == SEVERAL:
            raise ImageRefused(item, "it has several labels, and an image counts for one class")
        if isinstance(label, str) and label not in self.written:
            raise ImageRefused(item, f"its label {label!r} is not one of the {len(self.names)} classes")
        return self.number(label)


def as_label(target: Any) -> Label | None:  # noqa: ANN401 - targets of datasets have any type
    """Return the label of a target: a number, a string, SEVERAL, or None without a label.

    An array of one number gives that number. A one-hot array of K numbers gives the index of its 1.
    """
    # A list of two numbers may be two labels.
    fewest = 3
    if isinstance(target, Tensor | np.ndarray | np.generic):
        target, fewest = target.tolist(), 2
    if isinstance(target, list | tuple):
        if len(target) == 1:
            return as_label(target[0])
        numbers = len(target) >= fewest and all(isinstance(one, int | float) for one in target)
        if numbers and sorted(target) == [0] * (len(target) - 1) + [1]:
            return target.index(1)
        return SEVERAL if len(target) else None
    if target is None or (isinstance(target, float) and math.isnan(target)):
        return None
    if isinstance(target, float):
        return int(target) if target.is_integer() else SEVERAL
    if isinstance(target, bytes):
        return target.decode(errors="replace")
    return target if isinstance(target, str) else int(target) if isinstance(target, int) else SEVERAL


def targets_of(source: object, count: int) -> list[Label | None] | None:
    """Return the labels of all items if the object, or the one below a Subset, has them without reading images."""
    inner, indices = getattr(source, "dataset", None), getattr(source, "indices", None)
    if inner is not None and indices is not None and len(indices) == count:
        of_inner = targets_of(inner, len(inner))
        return None if of_inner is None else [of_inner[int(index)] for index in indices]
    parts = getattr(source, "datasets", None)
    if isinstance(parts, list | tuple) and parts:
        of_parts = [targets_of(part, len(part)) for part in parts]
        joined = [target for part in of_parts for target in part or ()]
        return joined if len(joined) == count else None
    for name in _TARGETS:
        values = getattr(source, name, None)
        if isinstance(values, Sequence | np.ndarray | Tensor) and not isinstance(values, str) and len(values) == count:
            # One conversion for all numbers, where each item has one.
            listed = values.tolist() if isinstance(values, np.ndarray | Tensor) and values.ndim == 1 else values
            return [as_label(target) for target in listed]
    key = _label_key(source)
    return None if key is None else [as_label(target) for target in source[key]]  # type: ignore[index]


def classes_of(source: object) -> Classes | None:
    """Return the classes that the object names; also those of a Subset's dataset, or of concatenated datasets.

    Raises:
        DatasetRefused: concatenated datasets have different classes, and their labels are numbers.
    """
    for name in _NAMES:
        classes = getattr(source, name, None)
        if isinstance(classes, np.ndarray):
            classes = classes.tolist()
        if isinstance(classes, Mapping) and all(isinstance(number, int) for number in classes.values()):
            classes = sorted(classes, key=classes.__getitem__)
        if isinstance(classes, Sequence) and not isinstance(classes, str) and classes:
            return Classes.named(classes)
    key = _label_key(source)
    named = getattr(source.features[key], "names", None) if key else None  # type: ignore[attr-defined]
    if named:
        return Classes.named(named)
    if getattr(source, "indices", None) is not None:
        return classes_of(getattr(source, "dataset", None))
    parts = getattr(source, "datasets", None)
    if isinstance(parts, list | tuple) and parts:
        of_parts = [classes_of(part) for part in parts]
        if all(one == of_parts[0] for one in of_parts):
            return of_parts[0]
        _check_texts(parts, of_parts)
    return None


def _check_texts(parts: Sequence[Any], of_parts: Sequence[Classes | None]) -> None:
    """Check that concatenated datasets, whose classes differ, label their items with class names.

    Raises:
        DatasetRefused: some labels are numbers, so one number would stand for several classes.
    """
    for part in parts:
        targets = targets_of(part, len(part))
        if targets is None or not all(target is None or isinstance(target, str) for target in targets):
            listed = "; ".join(", ".join(map(shown, one.names[:_LISTED])) if one else "none" for one in of_parts)
            raise DatasetRefused(
                f"The {len(parts)} concatenated datasets have different classes ({listed}), so one number would stand "
                "for several of them: give one of the datasets, or give their items the names of the classes as labels."
            )


def _label_key(source: object) -> str | None:
    """Return the column of labels of a Hugging Face dataset; None if it has no such column."""
    features = getattr(source, "features", None)
    if not isinstance(features, Mapping):
        return None
    keys = [str(key) for key in features]
    index = column(keys, LABEL)
    return None if index is None else keys[index]
