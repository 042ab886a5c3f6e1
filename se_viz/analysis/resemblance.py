"""Whose pattern is this? A group of images against the classes of class profiles."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from se_viz.types import AnyFloats

_TINY = 1e-14


@dataclass(frozen=True, slots=True)
class Patterns:
    """What sets each of K classes apart from their mean in one gate, ready to be compared with many groups.

    Attributes:
        common: mean s over the classes (C,).
        apart: what sets each class apart, less its mean over channels, float32 (K, C).
        lengths: of the rows of ``apart`` (K,).
    """

    common: npt.NDArray[np.float64]
    apart: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.float64]

    @classmethod
    def of(cls, classes: AnyFloats) -> "Patterns":
        """Of the mean s of K classes (K, C)."""
        common = classes.mean(axis=0, dtype=np.float64)
        each = classes - common
        each -= each.mean(axis=1, keepdims=True)
        return cls(common, each.astype(np.float32), np.linalg.norm(each, axis=1))

    def resemblance(self, own: AnyFloats) -> npt.NDArray[np.float64]:
        """How alike the mean s of a group (C,) is to each class's (K,); see the function of that name."""
        apart = own - self.common
        apart = apart - apart.mean()
        lengths = self.lengths * np.linalg.norm(apart)
        # What is left by rounding is nothing.
        found = np.full(len(lengths), np.nan)
        real = lengths > _TINY * max(1.0, float(np.square(self.common).sum()))
        np.divide(self.apart @ apart.astype(np.float32), lengths, out=found, where=real)
        return found


def resemblance(own: AnyFloats, classes: AnyFloats) -> npt.NDArray[np.float64]:
    """How alike a mean excitation is to that of each class, −1 to 1, exact to six digits.

    The correlation, over channels, of what sets the group apart from the mean over classes with what sets each class
    apart: what all classes have in common says nothing about which one it is. Not a number where nothing sets a class,
    or the group, apart.

    Args:
        own: mean s of the group (C,).
        classes: mean s of the K classes (K, C).
    """
    return Patterns.of(classes).resemblance(own)


def group_mean(s: AnyFloats) -> AnyFloats | None:
    """Mean excitation (C,) of the images of a group (N, C) whose s is finite; None where it is of none of them."""
    whole = s[np.isfinite(s).all(axis=1)]
    if not len(whole):
        return None
    mean: AnyFloats = whole.mean(axis=0)
    return mean


def groups(names: Sequence[str], predicted: Sequence[str | None]) -> dict[str, list[int]]:
    """Sort images into groups: by the folder in their name, else by what the network says they are, if it does.

    Args:
        names: of N images; "cats/tom.jpg" lies in the folder cats.
        predicted: the most probable class of each; None where there is none.
    """
    found: dict[str, list[int]] = {}
    foldered, predicts = any("/" in name for name in names), any(label is not None for label in predicted)
    for index, (name, label) in enumerate(zip(names, predicted, strict=True)):
        folder, slash, _ = name.rpartition("/")
        said = label if label is not None else "no prediction" if predicts else "all images"
        group = (folder if slash else "without a folder") if foldered else said
        found.setdefault(group, []).append(index)
    return found
