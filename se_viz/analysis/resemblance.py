"""Comparison of a group of images with the classes of class profiles."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from se_viz.data.class_folders import folder_of
from se_viz.types import AnyFloats, Float32s, Floats

_TINY = 1e-14


@dataclass(frozen=True, slots=True)
class ClassPatterns:
    """The difference of each of K classes from their mean in one gate, prepared for comparison with many groups.

    Attributes:
        common: mean s over the classes (C,).
        apart: difference of each class from ``common``, minus its mean over channels, float32 (K, C).
        lengths: norms of the rows of ``apart`` (K,).
    """

    common: Floats
    apart: Float32s
    lengths: Floats

    @classmethod
    def of(cls, classes: AnyFloats) -> "ClassPatterns":
        """Prepare the patterns of classes from their mean s (K, C)."""
        common = classes.mean(axis=0, dtype=np.float64)
        each = classes - common
        each -= each.mean(axis=1, keepdims=True)
        return cls(common, each.astype(np.float32), np.linalg.norm(each, axis=1))

    def resemblance(self, mean: AnyFloats) -> Floats:
        """Return the resemblance (K,) of the mean s of a group (C,) to each class, −1 to 1, exact to six digits.

        It is the correlation, over channels, of the group's difference from the mean over classes with each class's
        difference from it: what all classes have in common does not distinguish them. NaN where a class, or the group,
        does not differ from the mean.
        """
        apart = mean - self.common
        apart = apart - apart.mean()
        lengths = self.lengths * np.linalg.norm(apart)
        # Differences as small as rounding count as no difference.
        values = np.full(len(lengths), np.nan)
        real = lengths > _TINY * max(1.0, float(np.square(self.common).sum()))
        np.divide(self.apart @ apart.astype(np.float32), lengths, out=values, where=real)
        return values


def group_mean(s: AnyFloats) -> AnyFloats | None:
    """Return the mean excitation (C,) of the images of a group (N, C) whose s is finite, or None."""
    whole = s[np.isfinite(s).all(axis=1)]
    if not len(whole):
        return None
    mean: AnyFloats = whole.mean(axis=0)
    return mean


def groups(names: Sequence[str], predicted: Sequence[str | None]) -> dict[str, list[int]]:
    """Sort images into groups: by the folder in their name, else by the network's predictions, else into one group.

    Args:
        names: names of N images; "cats/tom.jpg" is in the folder cats.
        predicted: the predicted class of each; None without a prediction.
    """
    found: dict[str, list[int]] = {}
    foldered, predicts = any("/" in name for name in names), any(label is not None for label in predicted)
    for index, (name, label) in enumerate(zip(names, predicted, strict=True)):
        folder = folder_of(name)
        said = label if label is not None else "no prediction" if predicts else "all images"
        group = (folder or "without a folder") if foldered else said
        found.setdefault(group, []).append(index)
    return found
