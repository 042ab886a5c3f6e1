"""Two classes face to face: how far apart a gate's channels hold them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from se_viz.atlas.store import GateAtlas, Histogram

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Auroc:
    """How often s of an image of the first class is the higher one, ties counting half.

    Attributes:
        value: (C,), 0–1; 0.5 where the channel does not tell the classes apart.
        margin: (C,) how far the true value may be from it, as bins hide which of two images is higher; 0 if it was
            counted on single images.
    """

    value: Floats
    margin: Floats


@dataclass(frozen=True, slots=True)
class Difference:
    """How far apart a gate's channels hold two classes.

    Attributes:
        d: Cohen's d (C,), see ``cohens_d``.
        auroc: how often s of the first class is the higher one (C,), see ``auroc``.
        channels: the dozen with the largest differences, the largest first.
    """

    d: Floats
    auroc: Floats
    channels: list[int]


def difference(gate: GateAtlas, a: str | int, b: str | int) -> Difference:
    """How far apart a gate's channels hold class a and class b, of two images or more each."""
    d = cohens_d(gate, a, b)
    order = np.argsort(-np.abs(np.nan_to_num(d)), kind="stable")
    return Difference(d, auroc(gate, a, b).value, order[:_TOP].tolist())


def cohens_d(gate: GateAtlas, a: str | int, b: str | int) -> Floats:
    """Mean s of class a minus that of class b, in standard deviations (pooled, of samples): Cohen's d (C,).

    Not a number where a class has fewer than two images or neither class moves.
    """
    first, second = gate.s(a), gate.s(b)
    n, m = int(first.count), int(second.count)
    if min(n, m) < 2:
        return np.full(gate.entry.channels, np.nan)
    pooled = np.sqrt((n * np.square(first.std) + m * np.square(second.std)) / (n + m - 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        d: Floats = np.where(pooled > 0, (first.mean - second.mean) / pooled, np.nan)
    return d


def auroc(gate: GateAtlas, a: str | int, b: str | int) -> Auroc:
    """Area under the ROC curve of telling class a from class b by one channel's s.

    Exact from single images if the atlas has them, else from its histograms.
    """
    if not gate.has_images:
        return auroc_of_histograms(gate.histogram(a), gate.histogram(b))
    return auroc_of_images(gate.images_of(a), gate.images_of(b))


def auroc_of_histograms(a: Histogram, b: Histogram) -> Auroc:
    """Of histograms of C channels, not numbers where one is empty; images are taken to be spread evenly inside a bin.

    The margin is what could be gained or lost by how they lie there in truth; that a compact atlas rounds its borders,
    to 1/16 of a standard deviation, comes on top.
    """
    if a.edges.ndim == 1 and np.array_equal(a.edges, b.edges):
        return _of_the_same_bins(a, b)
    first, left, right = _shares(a)
    second, other_left, other_right = _shares(b)
    left, right, first = left[..., :, None], right[..., :, None], first[..., :, None]
    other_left, other_right = other_left[..., None, :], other_right[..., None, :]
    pairs = first * second[..., None, :]
    width = other_right - other_left
    # How often one of two even spreads is the higher: the mean over the first of the second's share below.
    higher = _ramp((right - other_left) / width) - _ramp((left - other_left) / width)
    higher *= width / (right - left)
    hidden = (left < other_right) & (other_left < right)
    error = np.where(hidden, np.maximum(higher, 1 - higher), 0)
    return Auroc((pairs * higher).sum(axis=(-2, -1)), (pairs * error).sum(axis=(-2, -1)))


def _of_the_same_bins(a: Histogram, b: Histogram) -> Auroc:
    """The same where all bins are those of both: one of two images in a bin is the higher half of the time."""
    first, second = _shares(a)[0], _shares(b)[0]
    below = np.cumsum(second, axis=-1) - second
    together = first * second
    return Auroc((first * below + together / 2).sum(axis=-1), together.sum(axis=-1) / 2)


def _shares(histogram: Histogram) -> tuple[Floats, Floats, Floats]:
    """Share of the images in each bin, and the bin's borders; an empty bin is made as narrow as a number allows."""
    with np.errstate(invalid="ignore"):
        shares = histogram.counts / histogram.counts.sum(axis=-1, keepdims=True)
    left = histogram.edges[..., :-1]
    return shares, left, np.maximum(histogram.edges[..., 1:], left + _NARROW)


def _ramp(t: Floats) -> Floats:
    """The integral of a ramp that rises from 0 at 0 to 1 at 1 and stays there."""
    within = np.clip(t, 0, 1)
    ramp: Floats = within**2 / 2 + np.maximum(t - 1, 0)
    return ramp


def auroc_of_images(a: Floats, b: Floats) -> Auroc:
    """Of single images' s, (N, C) and (M, C): by ranks, exact."""
    n, m = len(a), len(b)
    ranks = rankdata(np.concatenate([a, b]), axis=0)[:n].sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.divide(ranks - n * (n + 1) / 2, n * m)
    return Auroc(value, np.zeros(a.shape[1]))


_TOP = 12
_NARROW = 1e-9  # far below a step of s
