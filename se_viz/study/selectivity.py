"""How much of what a gate does depends on the class of the image: the paper's question in Section 7.2."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from se_viz.atlas.store import Atlas, GateAtlas, Moments

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Variance:
    """Sums of squares of s over images, (C,): between the means of classes, and altogether."""

    between: Floats
    total: Floats

    @property
    def share(self) -> Floats:
        """η² of each channel, 0–1; not a number where s does not move (by 0.0001, its standard deviation)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share: Floats = np.where(self.total > 0, self.between / self.total, np.nan)
        return share

    @property
    def overall(self) -> float:
        """η² of the gate as a whole: the sums over channels, so that channels that move more count more."""
        total = float(self.total.sum())
        return float(self.between.sum()) / total if total > 0 else float("nan")


def variance(moments: Moments) -> Variance:
    """Decompose the variance of s: moments (K, C) of a gate; classes without images do not count."""
    there = moments.count > 0
    count, mean, std = moments.count[there, None], moments.mean[there], moments.std[there]
    whole = (count * mean).sum(axis=0) / max(1, count.sum())
    between = (count * np.square(mean - whole)).sum(axis=0)
    within = (count * np.square(std)).sum(axis=0)
    still = between + within <= count.sum() * _STILL**2
    return Variance(np.where(still, 0, between), np.where(still, 0, between + within))


def eta_squared(gate: GateAtlas) -> Floats:
    """Between-class share of the variance of s, η² of each channel (C,), 0–1.

    0: knowing the class says nothing about s; 1: images of one class all have the same s. Not a number where s never
    moves. Where the class does not matter at all it is ``chance`` on average, not 0. One-way ANOVA's F is
    η² / (1 − η²) · (N − K) / (K − 1).
    """
    return variance(gate.s()).share


def chance(counts: npt.NDArray[np.int64]) -> float:
    """The mean of η² over all ways to hand the labels out at random: (K − 1) / (N − 1); counts (K,) of images."""
    classes, images = int((counts > 0).sum()), int(counts.sum())
    return (classes - 1) / (images - 1) if images > 1 else float("nan")


@dataclass(frozen=True, slots=True)
class Permutation:
    """η² (C,), and the share p (C,) of random labellings that reach it, of which the true one is one."""

    share: Floats
    p: Floats


def permutation(gate: GateAtlas, labels: npt.NDArray[np.integer], times: int = 199, seed: int = 0) -> Permutation:
    """Check η² against labels handed out at random.

    Args:
        gate: of an atlas with single images.
        labels: (N,) of the images, ``atlas.table.labels``.
        times: random labellings; p is 1 / (times + 1) at least.
        seed: of the random numbers.

    Raises:
        NotInAtlas: the atlas has no single images.
    """
    s = gate.images()
    s = s - s.mean(axis=0)
    total = np.square(s).sum(axis=0)
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)

    def between(codes: npt.NDArray[np.intp]) -> Floats:
        member = np.zeros((len(counts), len(s)))
        member[codes, np.arange(len(s))] = 1
        sums: Floats = (np.square(member @ s) / counts[:, None]).sum(axis=0)
        return sums

    found = between(codes)
    rng = np.random.default_rng(seed)
    # Equal but for rounding counts as reached: with few images a labelling repeats itself.
    reached = sum((between(rng.permutation(codes)) >= found * (1 - 1e-9)).astype(np.int64) for _ in range(times))
    still = total <= len(s) * _STILL**2
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(still, np.nan, found / total)
    return Permutation(share, np.where(still, np.nan, (1 + reached) / (1 + times)))


@dataclass(frozen=True, slots=True)
class Specific:
    """A channel that tells classes apart: η², and the classes with the highest and the lowest mean s."""

    gate: str
    channel: int
    share: float
    highest: str
    lowest: str


def most_specific(atlas: Atlas, gate: str, count: int = 10) -> tuple[Specific, ...]:
    """The channels of a gate with the highest η², highest first; channels that never move are left out."""
    moments = atlas[gate].s()
    share = variance(moments).share
    order = np.argsort(-np.nan_to_num(share, nan=-1), kind="stable")[:count]
    there = np.flatnonzero(moments.count > 0)
    return tuple(
        Specific(
            gate,
            channel,
            float(share[channel]),
            atlas.classes[there[moments.mean[there, channel].argmax()]],
            atlas.classes[there[moments.mean[there, channel].argmin()]],
        )
        for channel in order.tolist()
        if not np.isnan(share[channel])
    )


# A standard deviation of s that is no movement: six steps of the code, within reach of rounding.
_STILL = 1e-4
