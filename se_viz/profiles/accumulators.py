"""Statistics of one gate as sums that can be added up over shards, machines and datasets."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from se_viz.profiles.exact_sums import is_clipped, sums, whole_steps
from se_viz.profiles.metadata import GateEntry
from se_viz.profiles.quantization import BINS, HEAPS, bin_code, grid, regrid
from se_viz.profiles.safetensors_io import Spec, Tensors
from se_viz.types import Array, Counts, Float32s, Floats, Int64s, Positions, UInt32s, UInt64s

Ends = Float32s


@dataclass(slots=True)
class Squeezed:
    """Statistics of z over K classes and C channels, as float64.

    They are added up by Chan's formula, which is exact except for rounding. The same order gives the same result.

    Attributes:
        mean, m2: mean of z, and sum of squared deviations from the mean (K, C); 0 for a class without images.
        low, high: smallest and largest z, float32 (K, C); ∞ and −∞ for a class without images.
    """

    mean: Floats
    m2: Floats
    low: Ends
    high: Ends

    @classmethod
    def empty(cls, classes: int, channels: int) -> "Squeezed":
        """Return the statistics of no images."""
        shape = (classes, channels)
        return cls(np.zeros(shape), np.zeros(shape), *_no_range(shape))

    def fill(self, label: int, z: Float32s) -> None:
        """Set the statistics of one class from z of its images (N, C)."""
        wide = z.astype(np.float64)
        self.mean[label] = wide.mean(axis=0)
        self.m2[label] = np.square(wide - self.mean[label]).sum(axis=0)
        self.low[label], self.high[label] = z.min(axis=0), z.max(axis=0)

    def add(self, added: "Squeezed", rows: Positions, count: Counts, more: Counts) -> None:
        """Add the statistics of other images of the classes ``rows``.

        ``count`` (K′, 1) is the number of images of each class here, ``more`` (K′, 1) the number in ``added``.
        """
        total = np.maximum(count + more, 1)
        apart = added.mean - self.mean[rows]
        self.m2[rows] += added.m2 + np.square(apart) * (count * (more / total))
        self.mean[rows] += apart * (more / total)
        self.low[rows] = np.minimum(self.low[rows], added.low)
        self.high[rows] = np.maximum(self.high[rows], added.high)


@dataclass(slots=True)
class GateStatistics:
    """Statistics of one gate over K classes and C channels.

    The statistics of s are integers, so adding them up is exact in any order and grouping.

    Attributes:
        count: images of each class (K,).
        sum, squares: the sums of s and s² of ``exact_sums``, int64 (K, C) and uint64 (2, K, C).
        clipped: number of s beyond ±``exact_sums.LIMIT``, which count as ±LIMIT in the sums, uint64 (K, C).
        heaps: number of images with s equal to each of ``quantization.HEAPS``, uint32 (K, C, 6).
        histogram: number of all other images in each bin of ``quantization.grid`` between ``low`` and ``high``,
            uint32 (K, C, 56).
        low, high: smallest and largest s in the histogram, over all classes, float32 (C,); ∞ and −∞ if it is empty.
        z: statistics of z; None if the gate has no known squeeze descriptor.
    """

    count: Counts
    sum: Int64s
    squares: UInt64s
    clipped: UInt64s
    heaps: UInt32s
    histogram: UInt32s
    low: Ends
    high: Ends
    z: Squeezed | None = field(default=None)

    @classmethod
    def empty(
        cls, classes: int, channels: int, *, z: bool = True, ends: tuple[Ends, Ends] | None = None
    ) -> "GateStatistics":
        """Return the statistics of no images; ``ends`` (low, high) fixes the histogram's bins beforehand."""
        shape = (classes, channels)
        return cls(
            np.zeros(classes, np.int64),
            np.zeros(shape, np.int64),
            np.zeros((2, *shape), np.uint64),
            np.zeros(shape, np.uint64),
            np.zeros((*shape, len(HEAPS)), np.uint32),
            np.zeros((*shape, BINS), np.uint32),
            *(_no_range((channels,)) if ends is None else ends),
            Squeezed.empty(classes, channels) if z else None,
        )

    @classmethod
    def of(cls, s: Float32s, z: Float32s | None, labels: Positions, classes: int) -> "GateStatistics":
        """Return the statistics of N images.

        Args:
            s: finite excitation weights (N, C).
            z: squeeze descriptors (N, C); None if they are not known.
            labels: class of each image (N,), below ``classes``.
            classes: number of classes K.
        """
        channels = s.shape[1]
        heaped = [s == np.float32(heap) for heap in HEAPS]
        binned = ~np.logical_or.reduce(heaped)
        low = s.min(axis=0, initial=np.inf, where=binned)
        high = s.max(axis=0, initial=-np.inf, where=binned)
        made = cls.empty(classes, channels, z=z is not None, ends=(low, high))
        first, k = grid(low, high)
        cells = (bin_code(s) >> k) - first + np.arange(channels) * BINS
        cells[~binned] = channels * BINS  # one extra cell collects the heaps
        steps, beyond = whole_steps(s), is_clipped(s)
        for label in np.unique(labels):
            rows = labels == label
            made.count[label] = rows.sum()
            made.sum[label], made.squares[:, label] = sums(steps[rows])
            made.clipped[label] = beyond[rows].sum(axis=0)
            made.heaps[label] = np.stack([heap[rows].sum(axis=0) for heap in heaped], axis=-1)
            counted = np.bincount(cells[rows].ravel(), minlength=channels * BINS + 1)[:-1]
            made.histogram[label] = counted.reshape(channels, BINS)
            if made.z is not None and z is not None:
                made.z.fill(label, z[rows])
        return made

    @classmethod
    def read(cls, tensors: Tensors, gate: GateEntry, counts: tuple[int, ...]) -> "GateStatistics":
        """Return the statistics of a gate stored in a file; ``counts`` are the images of each class."""

        def array(name: str) -> Array:
            return tensors[f"{gate.name}.{name}"][:,]

        low, high = array("binned")
        return cls(
            np.asarray(counts, np.int64),
            array("sum"),
            array("squares"),
            array("outside"),
            array("heaps"),
            array("histogram"),
            low,
            high,
            Squeezed(array("z_mean"), array("z_m2"), *array("z_range")) if gate.z else None,
        )

    def add(self, added: "GateStatistics", rows: Positions) -> None:
        """Add the statistics of other images; ``rows`` (K′,) maps the classes of ``added`` to classes here.

        This is fastest when the ends are known beforehand (``empty(ends=)``): the histogram then keeps its bins.
        """
        if self.z is not None and added.z is not None:
            self.z.add(added.z, rows, self.count[rows][:, None], added.count[:, None])
        self.count[rows] += added.count
        self.sum[rows] += added.sum
        self.squares[:, rows] += added.squares
        self.clipped[rows] += added.clipped
        self.heaps[rows] += added.heaps
        low, high = np.minimum(self.low, added.low), np.maximum(self.high, added.high)
        bins = grid(low, high)
        self.histogram = regrid(self.histogram, grid(self.low, self.high), bins)
        self.histogram[rows] += regrid(added.histogram, grid(added.low, added.high), bins)
        self.low, self.high = low, high

    @staticmethod
    def specs(gate: GateEntry, classes: int) -> Iterator[Spec]:
        """Yield the specs of ``arrays``, in their order.

        The size of each array is a multiple of 8 bytes, so that all of them can be memory-mapped.
        """
        shape = (classes, gate.channels)
        yield Spec(f"{gate.name}.sum", "int64", shape)
        yield Spec(f"{gate.name}.squares", "uint64", (2, *shape))
        yield Spec(f"{gate.name}.outside", "uint64", shape)
        yield Spec(f"{gate.name}.heaps", "uint32", (*shape, len(HEAPS)))
        yield Spec(f"{gate.name}.histogram", "uint32", (*shape, BINS))
        yield Spec(f"{gate.name}.binned", "float32", (2, gate.channels))
        if gate.z:
            yield Spec(f"{gate.name}.z_mean", "float64", shape)
            yield Spec(f"{gate.name}.z_m2", "float64", shape)
            yield Spec(f"{gate.name}.z_range", "float32", (2, *shape))

    def arrays(self) -> Iterator[Array]:
        """Yield the arrays to be written to a file."""
        yield from (self.sum, self.squares, self.clipped, self.heaps, self.histogram, self.low, self.high)
        if self.z is not None:
            yield from (self.z.mean, self.z.m2, self.z.low, self.z.high)


def _no_range(shape: tuple[int, ...]) -> tuple[Ends, Ends]:
    return np.full(shape, np.inf, np.float32), np.full(shape, -np.inf, np.float32)
