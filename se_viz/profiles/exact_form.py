"""Reader of s of a gate in exact class profiles."""

from dataclasses import dataclass

import numpy as np

from se_viz.profiles.exact_sums import mean_and_std
from se_viz.profiles.gate_file import GateFile
from se_viz.profiles.gate_summary import Histogram
from se_viz.profiles.quantization import BINS, HEAPS, bin_code, bin_edge, grid, unordered
from se_viz.profiles.safetensors_io import Index
from se_viz.types import Counts, Float32s, Floats, Int64s, UInt32s


@dataclass(frozen=True, slots=True)
class ExactForm:
    """One gate of exact class profiles."""

    file: GateFile

    def moments(self, images: Counts, classes: Index, channels: Index) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of s, (K, C) each; ``images`` are the counts of the classes (K, 1)."""
        total = self.file.read("sum", classes, channels)
        return mean_and_std(images, total, self.file.read("squares", slice(None), classes, channels))

    def histogram(self, images: Counts, classes: Index, channels: Index) -> Histogram:
        """Return the histogram of s (K, C, B)."""
        del images  # all are counted
        binned = self.file.read("binned", slice(None), channels)
        counts, edges = with_heaps(
            self.file.read("histogram", classes, channels), self.file.read("heaps", classes, channels), *binned
        )
        return Histogram(counts, edges)

    def clipped(self, classes: Index, channels: Index) -> Int64s:
        """Return the number of s that count as another value (K, C)."""
        return self.file.read("outside", classes, channels).astype(np.int64)

    def images(self, channels: Index) -> Floats:
        """Return s of every image (N, C)."""
        return self.file.read("s", slice(None), channels).astype(np.float64)

    def value(self, code: int) -> float:
        """Return s of an example image from its code."""
        return float(unordered(np.asarray(code)))

    def ends(self) -> tuple[float, float]:
        """Return the smallest and the largest s."""
        used = np.asarray(self.file.read("heaps").any(axis=(0, 1)))
        heaped = [heap for heap, occurs in zip(HEAPS, used.tolist(), strict=True) if occurs]
        low, high = self.file.read("binned")
        return float(min([low.min(), *heaped])), float(max([high.max(), *heaped]))


def with_heaps(
    histogram: UInt32s,
    heaps: UInt32s,
    low: Float32s,
    high: Float32s,
) -> tuple[Floats, Floats]:
    """Return bins (…, 56) and heaps (…, 6) as one row of counts (…, 69), and its borders.

    ``low`` and ``high`` are the ends of the bins. Heaps lie on borders of bins whose width is at most 1/4. A heap
    inside a wider bin, which exists for instance if s ranges from 0 to 16,000, is counted in that bin.
    """
    first, k = (number[..., None] for number in grid(low, high))
    bottom, top = (np.where(low <= high, end, 0).astype(np.float64)[..., None] for end in (low, high))
    starts = np.clip(bin_edge((first + np.arange(BINS)) << k), bottom, top)
    codes = bin_code(np.array(HEAPS))
    inside = ((codes >> k << k) != codes) & (bottom < HEAPS) & (top > HEAPS)
    values = np.where(inside, bin_edge(codes >> k << k), HEAPS)
    counts = np.zeros((*histogram.shape[:-1], 2 * len(HEAPS) + BINS + 1))
    place = np.clip((codes >> k) - first, 0, BINS - 1)
    counts[..., : 2 * len(HEAPS) : 2] = np.where(inside, 0, heaps)
    counts[..., 2 * len(HEAPS) : -1] = histogram
    for number in range(len(HEAPS)):
        moved = np.where(inside[..., number], heaps[..., number], 0)
        at = np.broadcast_to(2 * len(HEAPS) + place[..., number], moved.shape)[..., None]
        np.put_along_axis(counts, at, np.take_along_axis(counts, at, -1) + moved[..., None], -1)
    # A heap is a bin of zero width at its value, followed by an empty bin up to the next border.
    begins = np.concatenate([np.repeat(values, 2, axis=-1), starts, top], axis=-1)
    order = np.argsort(begins, axis=-1, kind="stable")
    edges = np.take_along_axis(begins, order, -1)
    counts = np.take_along_axis(counts, np.broadcast_to(order, counts.shape), -1)
    return counts, np.concatenate([edges, edges[..., -1:]], axis=-1)
