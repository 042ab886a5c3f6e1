"""Whose pattern is this? A group of images against the classes of an atlas."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
_TINY = 1e-14


def resemblance(own: Array, classes: Array) -> npt.NDArray[np.float64]:
    """How alike a mean excitation is to that of each class, −1 to 1.

    The correlation, over channels, of what sets the group apart from the mean over classes with what sets each class
    apart: what all classes have in common says nothing about which one it is. Not a number where nothing sets a class,
    or the group, apart.

    Args:
        own: mean s of the group (C,).
        classes: mean s of the K classes (K, C).
    """
    common = classes.mean(axis=0, dtype=np.float64)
    apart, each = own - common, classes - common
    apart, each = apart - apart.mean(), each - each.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(each, axis=1) * np.linalg.norm(apart)
    # What is left by rounding is nothing.
    found = np.full(len(classes), np.nan)
    np.divide(each @ apart, lengths, out=found, where=lengths > _TINY * max(1.0, float(np.square(common).sum())))
    return found


def groups(names: Sequence[str], predicted: Sequence[str]) -> dict[str, list[int]]:
    """Sort pictures into groups: by the folder in their name, else by what the network says they are.

    Args:
        names: of N pictures; "cats/tom.jpg" lies in the folder cats.
        predicted: the most probable class of each.
    """
    found: dict[str, list[int]] = {}
    foldered = any("/" in name for name in names)
    for index, (name, label) in enumerate(zip(names, predicted, strict=True)):
        folder, slash, _ = name.rpartition("/")
        group = (folder if slash else "without a folder") if foldered else label
        found.setdefault(group, []).append(index)
    return found
