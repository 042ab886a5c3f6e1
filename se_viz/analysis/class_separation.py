"""Two classes face to face: how far apart a gate's channels hold them."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu, rankdata

from se_viz.profiles.class_profiles import GateProfile, Histogram
from se_viz.types import Floats


@dataclass(frozen=True, slots=True)
class Auroc:
    """How often s of an image of the first class is the higher one, ties counting half.

    Attributes:
        value: (C,), 0–1; 0.5 where the channel does not tell the classes apart.
        margin: (C,) how far the true value may be from it at most, as bins, or the rounding of s in older files, hide
            which of two images is higher; 0 if it was counted on single images as the network gave them.
    """

    value: Floats
    margin: Floats


@dataclass(frozen=True, slots=True)
class ClassSeparation:
    """How far apart a gate's channels hold two classes.

    Attributes:
        d: Cohen's d (C,), see ``cohens_d``.
        auroc: how often s of the first class is the higher one (C,), see ``auroc``.
        margin: how far each of those may be from the truth (C,).
        channels: the dozen with the largest differences, the largest first.
    """

    d: Floats
    auroc: Floats
    margin: Floats
    channels: list[int]


def difference(gate: GateProfile, a: str | int, b: str | int) -> ClassSeparation:
    """How far apart a gate's channels hold class a and class b, of two images or more each."""
    d = cohens_d(gate, a, b)
    order = np.argsort(-np.abs(np.nan_to_num(d)), kind="stable")
    area = auroc(gate, a, b)
    return ClassSeparation(d, area.value, area.margin, order[:_TOP].tolist())


def cohens_d(gate: GateProfile, a: str | int, b: str | int) -> Floats:
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


def auroc(gate: GateProfile, a: str | int, b: str | int) -> Auroc:
    """Area under the ROC curve of telling class a from class b by one channel's s.

    From single images if the class profiles have them: exact, but for files of format 1, whose rounding makes ties.
    Else from its
    histograms, with a margin: 0.01 at most in compact class profiles of format 2, where it was measured over all pairs
    of
    classes when the file was written; in an exact one what the bins hide.
    """
    if not gate.has_images:
        return auroc_of_histograms(gate.histogram(a), gate.histogram(b))
    return auroc_of_images(gate.images_of(a), gate.images_of(b), rounded=gate.rounded_images)


def auroc_of_histograms(a: Histogram, b: Histogram) -> Auroc:
    """Of histograms of C channels, not numbers where one is empty.

    ``mannwhitneyu`` needs single values. Most class profiles keep histograms alone, which do not say which of two
    images in one bin is higher, so the value has a margin.

    Of bins that both classes share, two images in one bin count as tied, as those of a heap are. Bins that differ are
    those of compact class profiles of format 1: images are taken to be spread evenly inside them, and the margin is how
    far
    the value moves if all lie at one end or the other of their bin, and the bin where rounding may have moved it from.
    """
    if np.array_equal(a.edges, b.edges) and not np.any(a.slack):
        return _of_the_same_bins(a, b)
    first, left, right = _shares(a)
    second, other_left, other_right = _shares(b)
    value = _higher(first, (left, right), second, (other_left, other_right))
    most = _higher(first, _moved(a, 1, right), second, _moved(b, -1, other_left))
    least = _higher(first, _moved(a, -1, left), second, _moved(b, 1, other_right))
    return Auroc(value, np.maximum(most - value, value - least))


def _of_the_same_bins(a: Histogram, b: Histogram) -> Auroc:
    first, second = _shares(a)[0], _shares(b)[0]
    below = np.cumsum(second, axis=-1) - second
    together = first * second
    # In a heap they are tied in truth.
    hidden = np.where(np.diff(a.edges, axis=-1) > 0, together, 0).sum(axis=-1) / 2
    known = np.inf if a.auroc_error is None else a.auroc_error
    return Auroc((first * below + together / 2).sum(axis=-1), np.minimum(hidden, known))


def _higher(first: Floats, ends: tuple[Floats, Floats], second: Floats, other_ends: tuple[Floats, Floats]) -> Floats:
    """How often an image of the first class is the higher one, of shares (…, B) spread evenly between ends (…, B)."""
    left, right = (end[..., :, None] for end in ends)
    other_left, other_right = (end[..., None, :] for end in other_ends)
    width = other_right - other_left
    # How often one of two even spreads is the higher: the mean over the first of the second's share below.
    higher = _ramp((right - other_left) / width) - _ramp((left - other_left) / width)
    higher *= width / (right - left)
    share: Floats = (first[..., :, None] * second[..., None, :] * higher).sum(axis=(-2, -1))
    return share


def _moved(histogram: Histogram, way: int, ends: Floats) -> tuple[Floats, Floats]:
    """All images of each bin as far up (1) or down (−1) as they can be."""
    slack = np.broadcast_to(histogram.slack, histogram.edges.shape)
    slack = slack[..., 1:] if way > 0 else slack[..., :-1]
    # Infinite where nothing is known.
    point = ends + way * np.minimum(slack, _FAR)
    return point, point + _NARROW


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


def auroc_of_images(a: Floats, b: Floats, *, rounded: bool = False) -> Auroc:
    """Of single images' s, (N, C) and (M, C): U of Mann and Whitney, in which ties count half, as a share of the pairs.

    Exact if s is as the network gave it. If it is ``rounded``, so that equal ones may have been different, the margin
    is half the share of the pairs that are equal.
    """
    n, m = len(a), len(b)
    if not n or not m:
        return Auroc(np.full(a.shape[1], np.nan), np.zeros(a.shape[1]))
    # The p-value, which is not needed, is the cheap one.
    value = np.asarray(mannwhitneyu(a, b, axis=0, method="asymptotic").statistic / (n * m))
    if not rounded:
        return Auroc(value, np.zeros(a.shape[1]))

    def alike(s: Floats) -> Floats:
        """For the first N rows of s, how many other rows are equal to them, summed (C,)."""
        others: Floats = (rankdata(s, "max", axis=0) - rankdata(s, "min", axis=0))[:n].sum(axis=0)
        return others

    return Auroc(value, (alike(np.concatenate([a, b])) - alike(a)) / (n * m) / 2)


_TOP = 12
_NARROW = 1e-9  # far below a step of s
_FAR = 100.0  # beyond any s of format 1
