"""Reader of s of a gate in compact class profiles."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from se_viz.profiles import compact_rounding as rounding
from se_viz.profiles.errors import NotInProfiles
from se_viz.profiles.gate_file import GateFile
from se_viz.profiles.gate_summary import Histogram
from se_viz.profiles.quantization import unordered
from se_viz.profiles.safetensors_io import Index
from se_viz.types import Array, Counts, Floats, Int64s, UInt8s, UInt32s

ERROR_STEP = 1e-4
_BYTES = 4


def planes(numbers: npt.NDArray[np.generic]) -> UInt8s:
    """Return the four bytes of each number below 2³² as planes (4, …), those of the lowest bytes first."""
    wide = numbers.astype("<u4")
    return np.stack([(wide >> 8 * byte).astype(np.uint8) for byte in range(_BYTES)])


def from_planes(bytes_: Array) -> UInt32s:
    """Return the numbers (…) that ``planes`` has split."""
    wide = bytes_.astype(np.uint32)
    whole: UInt32s = wide[0] | wide[1] << 8 | wide[2] << 16 | wide[3] << 24
    return whole


@dataclass(frozen=True)
class CompactForm:
    """One gate of compact class profiles."""

    file: GateFile

    def moments(self, images: Counts, classes: Index, channels: Index) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of s, (K, C) each; NaN for classes without images."""
        mean, std = (moment[classes, channels] for moment in self._moments)
        return np.where(images > 0, mean, np.nan), np.where(images > 0, std, np.nan)

    def histogram(self, images: Counts, classes: Index, channels: Index) -> Histogram:
        """Return the histogram of s (K, C, B)."""
        del images  # all are counted
        counts, edges, error = self._histograms
        return Histogram(counts[classes, channels], edges[channels], auroc_error=error[channels])

    def clipped(self, classes: Index, channels: Index) -> Int64s:
        """Return the number of s that count as another value (K, C)."""
        return from_planes(self.file.read("outside"))[classes, channels].astype(np.int64)

    def images(self, channels: Index) -> Floats:
        """Raise NotInProfiles: compact class profiles have no single images."""
        return self.file.read("s", slice(None), channels)

    def value(self, code: int) -> float:
        """Raise NotInProfiles: compact class profiles have no example images."""
        raise NotInProfiles(f"{self.file.path} is compact and has no example images (code {code}).")

    def ends(self) -> tuple[float, float]:
        """Return the smallest and the largest border of the bins; all s lie between them."""
        _, edges, _ = self._histograms
        return float(edges.min()), float(edges.max())

    @cached_property
    def _moments(self) -> tuple[Floats, Floats]:
        spread = self.file.read("spread")
        base = from_planes(self.file.read("base")).view(np.float32)
        mean = rounding.unpack_mean(from_planes(self.file.read("mean")), base, spread)
        return mean, rounding.unpack_std(self.file.read("std"), spread)

    @cached_property
    def _histograms(self) -> tuple[Floats, Floats, Floats]:
        """Counts (K, C, B), borders (C, B + 1) and AUROC error (C,); empty bins pad channels that have fewer."""
        numbers = from_planes(self.file.read("bins")).astype(np.int64)
        edges, counts = unordered(from_planes(self.file.read("edges"))), from_planes(self.file.read("counts"))
        used = np.arange(numbers.max()) < numbers[:, None]
        whole = np.zeros((*used.shape, counts.size // int(numbers.sum())))
        whole[used] = counts.reshape(int(numbers.sum()), -1)
        ends = np.cumsum(numbers + 1) - 1
        borders = np.repeat(edges[ends].astype(np.float64)[:, None], used.shape[1] + 1, axis=1)
        borders[np.arange(used.shape[1] + 1) <= numbers[:, None]] = edges
        error = self.file.read("auroc_error") * ERROR_STEP
        return np.ascontiguousarray(np.moveaxis(whole, -1, 0)), borders, error
