"""Comparison of two classes: how well each channel of a gate separates them."""

from dataclasses import dataclass

import numpy as np
import scipy

from se_viz.profiles.class_profiles import GateProfile, Histogram
from se_viz.types import Floats


@dataclass(frozen=True, slots=True)
class Auroc:
    """Area under the ROC curve: the probability that s of an image of the first class is the higher one.

    Ties count half.

    Attributes:
        value: (C,), 0–1; 0.5 where the channel does not separate the classes.
        margin: (C,) largest possible error of ``value``. Bins, or the rounding of s in older files, hide which of two
            images is higher; the margin is 0 if unrounded s of single images was compared.
    """

    value: Floats
    margin: Floats


@dataclass(frozen=True, slots=True)
class ClassSeparation:
    """Separation of two classes by the channels of a gate.

    Attributes:
        d: Cohen's d (C,), see ``cohens_d``.
        auroc: AUROC of the first class over the second (C,), see ``auroc``.
        margin: largest possible error of each AUROC (C,).
        channels: the 12 channels with the largest |d|, the largest first.
    """

    d: Floats
    auroc: Floats
    margin: Floats
    channels: list[int]


def difference(gate: GateProfile, a: str | int, b: str | int) -> ClassSeparation:
    """Return how well the channels of a gate separate class a from class b, of two images or more each."""
    d = cohens_d(gate, a, b)
    order = np.argsort(-np.abs(np.nan_to_num(d)), kind="stable")
    area = auroc(gate, a, b)
    return ClassSeparation(d, area.value, area.margin, order[:_TOP].tolist())


def cohens_d(gate: GateProfile, a: str | int, b: str | int) -> Floats:
    """Return Cohen's d (C,): mean s of class a minus that of class b, in pooled sample standard deviations.

    NaN where a class has fewer than two images or s varies in neither class.
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
    """Return the area under the ROC curve of separating class a from class b by s of one channel.

    It is computed from single images if the class profiles have them, and is then exact, except in files of format 1,
    whose rounding makes ties. Otherwise it is computed from histograms and has a margin. In compact class profiles of
    format 2 the margin is 0.01 at most: it was measured over all pairs of classes when the file was written. In exact
    class profiles it is what the bins hide.
    """
    if not gate.has_images:
        return auroc_of_histograms(gate.histogram(a), gate.histogram(b))
    return auroc_of_images(gate.images_of(a), gate.images_of(b), rounded=gate.rounded_images)


def auroc_of_histograms(a: Histogram, b: Histogram) -> Auroc:
    """Return the AUROC of two histograms of C channels; NaN where a histogram is empty.

    ``mannwhitneyu`` needs single values. Most class profiles keep only histograms, which do not say which of two images
    in one bin is higher, so the value has a margin.

    If both classes have the same bins, two images in one bin count as tied (in a heap they are). Bins differ in compact
    class profiles of format 1: images are assumed to be spread evenly within a bin. The margin is then the change of
    the value if all images lie at one end of their bin, and the bin is where rounding may have moved it from.
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
    # In a heap the images have equal s.
    hidden = np.where(np.diff(a.edges, axis=-1) > 0, together, 0).sum(axis=-1) / 2
    known = np.inf if a.auroc_error is None else a.auroc_error
    return Auroc((first * below + together / 2).sum(axis=-1), np.minimum(hidden, known))


def _higher(first: Floats, ends: tuple[Floats, Floats], second: Floats, other_ends: tuple[Floats, Floats]) -> Floats:
    """Return the AUROC of two classes given as shares (…, B), each spread evenly between ends (…, B)."""
    left, right = (end[..., :, None] for end in ends)
    other_left, other_right = (end[..., None, :] for end in other_ends)
    width = other_right - other_left
    # The AUROC of two uniform distributions: the mean, over the first, of the share of the second that lies below.
    higher = _ramp((right - other_left) / width) - _ramp((left - other_left) / width)
    higher *= width / (right - left)
    share: Floats = (first[..., :, None] * second[..., None, :] * higher).sum(axis=(-2, -1))
    return share


def _moved(histogram: Histogram, way: int, ends: Floats) -> tuple[Floats, Floats]:
    """Return bins whose images all lie as high (1) or as low (−1) as they can be."""
    slack = np.broadcast_to(histogram.slack, histogram.edges.shape)
    slack = slack[..., 1:] if way > 0 else slack[..., :-1]
    # The slack is infinite where nothing is known.
    point = ends + way * np.minimum(slack, _FAR)
    return point, point + _NARROW


def _shares(histogram: Histogram) -> tuple[Floats, Floats, Floats]:
    """Return the share of the images in each bin, and the bin's borders; a bin without width gets a tiny one."""
    with np.errstate(invalid="ignore"):
        shares = histogram.counts / histogram.counts.sum(axis=-1, keepdims=True)
    left = histogram.edges[..., :-1]
    return shares, left, np.maximum(histogram.edges[..., 1:], left + _NARROW)


def _ramp(t: Floats) -> Floats:
    """Return the integral of a ramp that rises from 0 at 0 to 1 at 1 and stays at 1."""
    within = np.clip(t, 0, 1)
    ramp: Floats = within**2 / 2 + np.maximum(t - 1, 0)
    return ramp


def auroc_of_images(a: Floats, b: Floats, *, rounded: bool = False) -> Auroc:
    """Return the AUROC of s of single images, (N, C) and (M, C): Mann and Whitney's U as a share of the pairs.

    Ties count half. The value is exact if s is not rounded. If s is ``rounded``, equal values may have been different,
    and the margin is half the share of the pairs that are equal.
    """
    n, m = len(a), len(b)
    if not n or not m:
        return Auroc(np.full(a.shape[1], np.nan), np.zeros(a.shape[1]))
    # The p-value is not used; "asymptotic" is the cheapest way to compute it.
    value = np.asarray(scipy.stats.mannwhitneyu(a, b, axis=0, method="asymptotic").statistic / (n * m))
    if not rounded:
        return Auroc(value, np.zeros(a.shape[1]))

    def alike(s: Floats) -> Floats:
        """Return the number of equal pairs of one of the first N rows of s and another row, by channel (C,)."""
        others: Floats = (scipy.stats.rankdata(s, "max", axis=0) - scipy.stats.rankdata(s, "min", axis=0))[:n].sum(
            axis=0
        )
        return others

    return Auroc(value, (alike(np.concatenate([a, b])) - alike(a)) / (n * m) / 2)


_TOP = 12
_NARROW = 1e-9  # far below a step of s
_FAR = 100.0  # larger than any s of format 1
