"""How much of what a gate does depends on the class of the image: the paper's question in Section 7.2."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from se_viz.profiles.class_profiles import ClassProfiles, GateProfile, Moments

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
    still = between + within <= count.sum() * STILL**2
    return Variance(np.where(still, 0, between), np.where(still, 0, between + within))


def eta_squared(gate: GateProfile) -> Floats:
    """Between-class share of the variance of s, η² of each channel (C,), 0–1.

    0: knowing the class says nothing about s; 1: images of one class all have the same s. Not a number where s never
    moves. Where the class does not matter at all, its mean is ``significance.expected_eta2``, not 0. F of one-way ANOVA
    is η² / (1 − η²) · (N − K) / (K − 1).
    """
    return variance(gate.s()).share


@dataclass(frozen=True, slots=True)
class Specific:
    """A channel that tells classes apart: η², and the classes with the highest and the lowest mean s."""

    gate: str
    channel: int
    share: float
    highest: str
    lowest: str


def most_specific(profiles: ClassProfiles, gate: str, count: int = 10) -> tuple[Specific, ...]:
    """The channels of a gate with the highest η², highest first; channels that never move are left out."""
    moments = profiles[gate].s()
    share = variance(moments).share
    order = np.argsort(-np.nan_to_num(share, nan=-1), kind="stable")[:count]
    there = np.flatnonzero(moments.count > 0)
    return tuple(
        Specific(
            gate,
            channel,
            float(share[channel]),
            profiles.classes[there[moments.mean[there, channel].argmax()]],
            profiles.classes[there[moments.mean[there, channel].argmin()]],
        )
        for channel in order.tolist()
        if not np.isnan(share[channel])
    )


# A standard deviation of s that is no movement: six steps of the code, within reach of rounding.
STILL = 1e-4
