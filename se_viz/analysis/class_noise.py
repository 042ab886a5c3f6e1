"""Limits that the number of images sets to statements on the classes of a gate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from se_viz.analysis.detectable import smallest_d, variance_within
from se_viz.profiles.gate_summary import Moments
from se_viz.types import Floats

_TIMES = 1000
_INTERVAL = (0.025, 0.975)
_LARGEST = 0.999  # η² of 1 has no finite F
_SAME = 1e-9  # differences of ranks below this are rounding


@dataclass(frozen=True, slots=True)
class ClassNoise:
    """Limits set by the images of K classes, N in all, in one gate.

    Attributes:
        freedom: K − 1 and N − K.
        difference: the smallest difference of two classes' mean s that would be seen in the median channel, see
            ``detectable.smallest_d``, for classes of the mean size; NaN if no class has two images.
        pattern: the part of the squared length of a class's mean pattern (C,) that is expected from the choice of its
            images, 0–1, mean over the classes; NaN likewise. It makes patterns less alike than they are.
    """

    freedom: tuple[int, int]
    difference: float
    pattern: float


def class_noise(moments: Moments) -> ClassNoise:
    """Return the limits of a gate from its moments (K, C); classes without images do not count."""
    some = moments.count > 0
    count, mean = moments.count[some], moments.mean[some]
    classes, free = len(count), int((count - 1).sum())
    freedom = max(0, classes - 1), free
    if not free:
        return ClassNoise(freedom, float("nan"), float("nan"))
    within = variance_within(moments)
    size = classes / (1 / count).sum()
    difference = smallest_d(size) * float(np.median(np.sqrt(within)))
    length = np.square(mean).sum(axis=1)
    chance = np.minimum(within.sum() / count, length)
    pattern = np.divide(chance, length, out=np.zeros(classes), where=length > 0)
    return ClassNoise(freedom, difference, float(pattern.mean()))


def depth_correlation(shares: Sequence[float], noises: Sequence[ClassNoise]) -> tuple[float, float, float]:
    """Return the rank correlation of depth with η² over G gates, and its 95% interval over images.

    For each gate η² is drawn as if other images of the same classes had been taken: F of one-way ANOVA follows a
    noncentral F distribution, whose noncentrality is estimated from η² without bias. A gate counts as one channel, so
    the interval is rather too wide than too narrow. It has a fixed seed.

    Args:
        shares: η² of the gates in execution order, without NaN, not all equal.
        noises: the limits of these gates.
    """
    depth = np.arange(len(shares), dtype=np.float64)
    value = _correlation(depth, np.asarray(shares)[None])[0]
    rng = np.random.default_rng(0)
    drawn = np.empty((_TIMES, len(shares)))
    for place, (share, noise) in enumerate(zip(shares, noises, strict=True)):
        between, within = noise.freedom
        if within < 3 or between < 1:
            return float(value), -1.0, 1.0
        kept = min(share, _LARGEST)
        f = kept / (1 - kept) * within / between
        excess = max(0.0, between * f * (within - 2) / within - between)
        ratio = rng.noncentral_f(between, within, excess, _TIMES) * between
        drawn[:, place] = ratio / (ratio + within)
    low, high = np.quantile(_correlation(depth, drawn), _INTERVAL)
    return float(value), float(min(low, value)), float(max(high, value))


def _correlation(depth: Floats, shares: Floats) -> Floats:
    """Return Spearman's rank correlation of depth (G,) with each row of shares (R, G)."""
    ranks = scipy.stats.rankdata(shares, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    along = depth - depth.mean()
    lengths = np.sqrt(np.square(ranks).sum(axis=1) * np.square(along).sum())
    correlation: Floats = np.divide(ranks @ along, lengths, out=np.zeros(len(ranks)), where=lengths > _SAME)
    return correlation
