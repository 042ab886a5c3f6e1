"""Class selectivity of gates: the share of the variance of s that the class explains (paper, Section 7.2)."""

from dataclasses import dataclass

import numpy as np

from se_viz.profiles.class_profiles import GateProfile, Moments
from se_viz.types import Floats

# Up to this standard deviation s counts as constant: it is six steps of the code, which rounding can cause.
STILL = 1e-4


@dataclass(frozen=True, slots=True)
class Variance:
    """Sums of squares of s over images, (C,): between the class means, and in total."""

    between: Floats
    total: Floats

    @property
    def share(self) -> Floats:
        """η² of each channel, 0–1; NaN where s is constant (standard deviation of 0.0001 or less)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share: Floats = np.where(self.total > 0, self.between / self.total, np.nan)
        return share

    @property
    def overall(self) -> float:
        """η² of the gate as a whole, from the sums over channels, so that channels that vary more count more."""
        total = float(self.total.sum())
        return float(self.between.sum()) / total if total > 0 else float("nan")


def variance(moments: Moments) -> Variance:
    """Decompose the variance of s by the moments (K, C) of a gate; classes without images do not count."""
    nonempty = moments.count > 0
    count, mean, std = moments.count[nonempty, None], moments.mean[nonempty], moments.std[nonempty]
    whole = (count * mean).sum(axis=0) / max(1, count.sum())
    between = (count * np.square(mean - whole)).sum(axis=0)
    within = (count * np.square(std)).sum(axis=0)
    still = between + within <= count.sum() * STILL**2
    return Variance(np.where(still, 0, between), np.where(still, 0, between + within))


def eta_squared(gate: GateProfile) -> Floats:
    """Return the between-class share of the variance of s, η² of each channel (C,), 0–1.

    0: the class says nothing about s. 1: all images of a class have the same s. NaN: s is constant. If the class does
    not matter at all, the mean of η² is ``significance.expected_eta2``, not 0. F of one-way ANOVA
    is η² / (1 − η²) · (N − K) / (K − 1).
    """
    return variance(gate.s()).share
