"""What is kept of one gate: sums that can be added up over shards, machines and datasets."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from se_viz.atlas.codec import BINS, Codes, bins
from se_viz.atlas.header import GateEntry
from se_viz.atlas.tensors import Array, Spec, Tensors

Counts = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]


@dataclass(slots=True)
class GateStatistics:
    """Of one gate over K classes and C channels.

    What is said of s is made of integers, so adding it up is exact in any order. z is kept as mean and sum of squared
    deviations, which are added by Chan's formula: exact but for rounding, and the same each time in the same order.

    Attributes:
        count: images of each class (K,).
        sum, sum2: of the codes of s and of their squares, uint64 (K, C).
        z_mean, z_m2: mean of z and sum of squared deviations from it, float64 (K, C); 0 without images.
        histogram: of the codes, uint32 (K, C, 64).
        outside: how many s lay outside the gate's range, uint64 (K, C).
        z_low, z_high: smallest and largest z, float32 (K, C); ∞ and −∞ without images.
    """

    count: Counts
    sum: npt.NDArray[np.uint64]
    sum2: npt.NDArray[np.uint64]
    z_mean: npt.NDArray[np.float64]
    z_m2: npt.NDArray[np.float64]
    histogram: npt.NDArray[np.uint32]
    outside: npt.NDArray[np.uint64]
    z_low: npt.NDArray[np.float32]
    z_high: npt.NDArray[np.float32]

    @classmethod
    def empty(cls, classes: int, channels: int) -> "GateStatistics":
        """Of no images."""
        shape = (classes, channels)
        return cls(
            np.zeros(classes, np.int64),
            np.zeros(shape, np.uint64),
            np.zeros(shape, np.uint64),
            np.zeros(shape, np.float64),
            np.zeros(shape, np.float64),
            np.zeros((*shape, BINS), np.uint32),
            np.zeros(shape, np.uint64),
            np.full(shape, np.inf, np.float32),
            np.full(shape, -np.inf, np.float32),
        )

    @classmethod
    def of(
        cls, codes: Codes, outside: npt.NDArray[np.bool_], z: npt.NDArray[np.float32], labels: Rows, classes: int
    ) -> "GateStatistics":
        """Of N images: codes of s, which of them are outside, and z, each (N, C); labels (N,) below ``classes``."""
        channels = codes.shape[1]
        made = cls.empty(classes, channels)
        for label in np.unique(labels):
            rows = labels == label
            own, wide = codes[rows].astype(np.uint64), z[rows].astype(np.float64)
            made.count[label] = len(own)
            made.sum[label] = own.sum(axis=0)
            made.sum2[label] = (own * own).sum(axis=0)
            made.z_mean[label] = wide.mean(axis=0)
            made.z_m2[label] = np.square(wide - made.z_mean[label]).sum(axis=0)
            cells = bins(codes[rows]) + np.arange(channels) * BINS
            made.histogram[label] = np.bincount(cells.ravel(), minlength=channels * BINS).reshape(channels, BINS)
            made.outside[label] = outside[rows].sum(axis=0)
            made.z_low[label], made.z_high[label] = z[rows].min(axis=0), z[rows].max(axis=0)
        return made

    @classmethod
    def read(cls, tensors: Tensors, gate: GateEntry, counts: tuple[int, ...]) -> "GateStatistics":
        """Of a file."""

        def array(name: str) -> Array:
            return tensors[f"{gate.name}.{name}"][:,]

        z_range = array("z_range")
        return cls(
            np.asarray(counts, np.int64),
            array("sum"),
            array("sum2"),
            array("z_mean"),
            array("z_m2"),
            array("histogram"),
            array("outside"),
            z_range[0],
            z_range[1],
        )

    def add(self, other: "GateStatistics", rows: Rows) -> None:
        """Add another's images; ``rows`` says which class here each of its classes is."""
        own, more = self.count[rows][:, None], other.count[:, None]
        total = np.maximum(own + more, 1)
        apart = other.z_mean - self.z_mean[rows]
        self.z_m2[rows] += other.z_m2 + np.square(apart) * (own * (more / total))
        self.z_mean[rows] += apart * (more / total)
        self.count[rows] += other.count
        self.sum[rows] += other.sum
        self.sum2[rows] += other.sum2
        self.histogram[rows] += other.histogram
        self.outside[rows] += other.outside
        self.z_low[rows] = np.minimum(self.z_low[rows], other.z_low)
        self.z_high[rows] = np.maximum(self.z_high[rows], other.z_high)

    @staticmethod
    def specs(gate: GateEntry, classes: int) -> Iterator[Spec]:
        """Of ``arrays``, in their order; each takes a multiple of 8 bytes, so all can be mapped."""
        shape = (classes, gate.channels)
        yield Spec(f"{gate.name}.sum", "uint64", shape)
        yield Spec(f"{gate.name}.sum2", "uint64", shape)
        yield Spec(f"{gate.name}.z_mean", "float64", shape)
        yield Spec(f"{gate.name}.z_m2", "float64", shape)
        yield Spec(f"{gate.name}.histogram", "uint32", (*shape, BINS))
        yield Spec(f"{gate.name}.outside", "uint64", shape)
        yield Spec(f"{gate.name}.z_range", "float32", (2, *shape))

    def arrays(self) -> Iterator[Array]:
        """What is written of it."""
        yield from (self.sum, self.sum2, self.z_mean, self.z_m2, self.histogram, self.outside, self.z_low, self.z_high)
