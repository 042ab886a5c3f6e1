"""Histogram bins for s of one channel: as few as preserve the AUROC of every pair of classes, the same for all classes.

Images in the same bin count as tied, so the error that bins cause in AUROC can be computed beforehand.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from se_viz.profiles.quantization import HEAPS, ordered, unordered
from se_viz.types import Bools, Float32s, Floats, Positions, UInt32s

AUROC_ERROR = 0.01
_FEW_TO_MANY = (4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 96, 128, 192, 256, 512, 1024)
# Borders with fewer digits compress better. A border may move by up to this share of a bin's images to get one.
_LEEWAY = 0.3
_HEAPS = ordered(np.array(HEAPS, np.float32))


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one channel.

    Attributes:
        edges: the B + 1 borders as ``quantization.ordered``; a bin of zero width holds the images with exactly that
            value.
        counts: images of each class in each bin (B, K).
        error: maximum error of the AUROC of two classes.
    """

    edges: UInt32s
    counts: Floats
    error: float


def auroc_table(counts: Floats) -> Floats:
    """Return the AUROC of all pairs of classes (K, K) from counts by value (V, K); ties count half.

    The AUROC is NaN for classes without images.
    """
    images = counts.sum(axis=0)
    below = np.cumsum(counts, axis=0) - counts
    with np.errstate(invalid="ignore"):
        table: Floats = counts.T @ (below + counts / 2) / np.outer(images, images)
    return table


def bins(s: Float32s, labels: Positions, classes: int) -> Bins:
    """Choose bins for s of one channel (N,) such that no AUROC is off by more than 0.01.

    Each value that many images share, and each of ``quantization.HEAPS``, gets a separate bin.
    """
    values, inverse = np.unique(ordered(s), return_inverse=True)
    cells = np.bincount(inverse * classes + labels, minlength=len(values) * classes)
    counts: Floats = cells.reshape(len(values), classes).astype(np.float64)
    exact = auroc_table(counts)
    for heaps, starts in _divisions(values, counts):
        binned = np.add.reduceat(counts, starts, axis=0)
        error = float(np.nanmax(np.abs(auroc_table(binned) - exact), initial=0))
        division = starts, heaps[starts], binned, error
        if error <= AUROC_ERROR:
            break
    return _bordered(values, *division)


def _divisions(values: UInt32s, counts: Floats) -> Iterator[tuple[Bools, Positions]]:
    """Yield which values are heaps, and the start of each bin, for an increasing number of bins.

    In the last division every value is a heap.
    """
    together, images = counts.sum(axis=1), counts.sum(axis=0)
    largest = np.where(counts > 1, counts / np.maximum(images, 1), 0).max(axis=1)
    known = np.isin(values, _HEAPS)
    for number in _FEW_TO_MANY:
        if number >= len(values):
            break
        share = 1 / (2 * number)
        heaps = known | (together >= max(2.0, share * images.sum())) | (largest >= share)
        spread = np.cumsum(np.where(heaps, 0, together))
        targets = np.arange(1, number) * spread[-1] / number
        leeway = _LEEWAY * spread[-1] / number
        low = np.searchsorted(spread, targets - leeway)
        high = np.maximum(np.searchsorted(spread, targets + leeway, "right"), low + 1)
        low, high = low[high < len(values)], high[high < len(values)]
        borders = np.searchsorted(values, simplest(values[low], values[high]))
        after = np.flatnonzero(heaps) + 1
        starts = np.unique(np.concatenate([[0], borders, after - 1, after[after < len(values)]]))
        yield heaps, starts.astype(np.intp)
    yield np.ones(len(values), bool), np.arange(len(values))


def simplest(low: UInt32s, high: UInt32s) -> UInt32s:
    """Return the numbers with the fewest binary digits such that low < number ≤ high."""
    # high stays larger than low without the digits that follow the first difference.
    digits = np.floor(np.log2((low ^ high).astype(np.float64))).astype(np.uint32)
    return high >> digits << digits


def _bordered(values: UInt32s, starts: Positions, heaps: Bools, binned: Floats, error: float) -> Bins:
    """Return the bins that start at these values, with their borders; an empty bin separates two adjacent heaps."""
    firsts, between = values[starts].tolist(), simplest(values[starts[1:] - 1], values[starts[1:]]).tolist()
    lowest, highest = _around(values)
    rights = [first if heap else x for first, heap, x in zip(firsts[1:], heaps[1:].tolist(), between, strict=True)]
    edges, counts = [firsts[0] if heaps[0] else lowest], []
    for first, heap, right, row in zip(firsts, heaps.tolist(), [*rights, highest], binned, strict=True):
        if heap and edges[-1] != first:
            edges.append(first)
            counts.append(np.zeros_like(row))
        edges.append(first if heap else right)
        counts.append(row)
    return Bins(np.array(edges, np.uint32), np.array(counts), error)


def _around(values: UInt32s) -> tuple[int, int]:
    """Return borders with few digits below and above all values, at a distance of less than 1/64 of their range."""
    low, high = unordered(values[[0, -1]]).astype(np.float64)
    margin = (high - low) / 64
    below, above = ordered(np.array([low - margin, high + margin], np.float32))
    # If 1/64 of the range is less than one float32 step, the value is the border.
    lowest = simplest(np.minimum(below, values[:1] - 1), values[:1])[0]
    return int(lowest), int(simplest(values[-1:] - 1, np.maximum(above, values[-1:]))[0])
