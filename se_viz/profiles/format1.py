"""Reader of s of a gate in class profiles of format 1: 16-bit codes of a fixed range, which has no code for 0.5.

Such files can be read, but not written or merged. Different s with the same code count as ties, and s beyond the range
counts as the end of the range. The AUROC of two classes from a compact file can be far off; its margin says how far.
"""

from dataclasses import dataclass

import numpy as np

from se_viz.profiles.gate_file import GateFile
from se_viz.profiles.gate_summary import Histogram
from se_viz.profiles.metadata import GateEntry
from se_viz.profiles.safetensors_io import Index
from se_viz.types import Array, Counts, Floats, Int64s

_TOP = 65_535
_BIN_WIDTH, _BINS = 1024, 64

# Compact files: share of a class's images below each quantile, and steps of each quantile per standard deviation.
_QUANTILE_LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_STEPS = (4.0, 8.0, 8.0, 8.0, 8.0, 8.0, 4.0)
_LAST_STEP = 127  # largest distance of a quantile from the mean; larger distances are stored as this one
_MEAN_STEP, _STEPS_AN_OCTAVE = 2, 16


def range_of(entry: GateEntry) -> tuple[float, float]:
    """Return the range in which s of a gate was stored."""
    return (0.0 if entry.low is None else entry.low), (1.0 if entry.high is None else entry.high)


@dataclass(frozen=True, slots=True)
class Format1:
    """One gate of exact or compact class profiles of format 1."""

    file: GateFile

    @property
    def step(self) -> float:
        """Difference of s between two consecutive codes."""
        low, high = self.ends()
        return (high - low) / _TOP

    def ends(self) -> tuple[float, float]:
        """Return the range in which s is stored."""
        return range_of(self.file.entry)

    def moments(self, images: Counts, classes: Index, channels: Index) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of s; NaN for classes without images."""
        if self.file.form == "compact":
            mean, std = self._rounded(classes, channels)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                mean = self.file.read("sum", classes, channels) / images
                std = np.sqrt(np.maximum(self.file.read("sum2", classes, channels) / images - mean**2, 0))
        return np.where(images > 0, self._decoded(mean), np.nan), np.where(images > 0, std * self.step, np.nan)

    def histogram(self, images: Counts, classes: Index, channels: Index) -> Histogram:
        """Return the histogram of s: 64 bins of equal width, or six bins between quantiles."""
        if self.file.form == "exact":
            counts = self.file.read("histogram", classes, channels).astype(np.float64)
            return Histogram(counts, self._decoded(np.arange(_BINS + 1) * _BIN_WIDTH - 0.5))
        packed = np.moveaxis(self.file.read("quantiles", slice(None), classes, channels), 0, -1)
        mean, std = (moment[..., None] for moment in self._rounded(classes, channels))
        # Rounding may have changed the order of quantiles.
        edges = np.sort(mean + packed / np.array(_STEPS) * std, axis=-1)
        slack = np.where(np.abs(packed) == _LAST_STEP, np.inf, 0.5 / np.array(_STEPS)) * std * self.step
        counts = images[..., None] * np.diff(_QUANTILE_LEVELS) + np.zeros_like(edges[..., 1:])
        # A mean in codes is off by at most 1; a quantile of N images may lie between two images.
        return Histogram(counts, self._decoded(edges), slack=np.where(std > 0, slack, 0) + 2 * self.step)

    def clipped(self, classes: Index, channels: Index) -> Int64s:
        """Return the number of s that count as an end of the range.

        Raises:
            NotInProfiles: the class profiles are compact and have no such count.
        """
        return self.file.read("outside", classes, channels).astype(np.int64)

    def images(self, channels: Index) -> Floats:
        """Return s of every image (N, C), exact to half a step."""
        return self._decoded(self.file.read("s", slice(None), channels))

    def value(self, code: int) -> float:
        """Return s of an example image from its code."""
        return float(self._decoded(np.asarray(code)))

    def _decoded(self, codes: Array) -> Floats:
        decoded: Floats = self.ends()[0] + codes.astype(np.float64) * self.step
        return decoded

    def _rounded(self, classes: Index, channels: Index) -> tuple[Floats, Floats]:
        """Return mean and standard deviation from a compact file, in codes."""
        base, packed = self.file.read("base", channels), self.file.read("mean", classes, channels)
        octaves = self.file.read("std", classes, channels).astype(np.float64)
        mean = base.astype(np.float64) + packed.astype(np.float64) * _MEAN_STEP
        return mean, np.where(octaves == 0, 0.0, np.exp2((octaves - 1) / _STEPS_AN_OCTAVE))
