"""Excitation weights as integers, so that counting and sorting them is exact and independent of their order.

There are two codes. Both are the same for every gate function, so its range need not be known:

- ``ordered``: the 32 bits of s, arranged so that they sort as s does. This is lossless.
- ``bin_code``: s in steps of 2⁻²⁴ up to 1, of 2⁻²³ from 1 to 3, of 2⁻²² from 3 to 7 and so on, for histograms. A bin is
  a run of 2^k codes, so adding pairs of bins gives the bins of the next width.
"""

import numpy as np

from se_viz.types import AnyFloats, AnyInts, Float32s, Floats, Int64s, UInt32s

# Limits of gate functions and their values for an input of 0. Each is counted separately from the bins.
HEAPS = (-1.0, 0.0, 0.5, 1.0, 2.0, 6.0)
BINS = 56

_SIGN = np.uint32(1 << 31)
_ONE = int(np.float64(1).view(np.int64))
_DROPPED = 28  # of the 52 fraction bits of a float64, which leaves 24


def ordered(s: Float32s) -> UInt32s:
    """Return the bits of each s, in the same shape, arranged so that they sort as s does; −0 becomes 0.

    Raises:
        ValueError: some s is NaN, which cannot be sorted.
    """
    if np.isnan(s).any():
        raise ValueError("Some s is not a number (NaN). Leave its image out.")
    bits = (s.astype(np.float32) + np.float32(0)).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def unordered(codes: AnyInts) -> Float32s:
    """Return the s that ``ordered`` has encoded, in the same shape."""
    bits = codes.astype(np.uint32)
    return np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float32)


def bin_code(s: AnyFloats) -> Int64s:
    """Return the code of the step that contains each finite s: the highest code whose lowest s is not above it."""
    # The bits of a float grow in steps that double with each octave; 1 is added so that the first octave is 0 … 1.
    size = (np.abs(s.astype(np.float64)) + 1).view(np.int64) - _ONE
    return np.where(s < 0, -size, size) >> _DROPPED


def bin_edge(codes: AnyInts) -> Floats:
    """Return the lowest s of each code, in the same shape."""
    wide = codes.astype(np.int64)
    size = ((np.abs(wide) << _DROPPED) + _ONE).view(np.float64) - 1
    return np.where(wide < 0, -size, size)


def grid(low: Float32s, high: Float32s) -> tuple[Int64s, Int64s]:
    """Return the narrowest ``BINS`` bins that cover low … high of each channel, as index of the first bin and k (C,).

    Each bin has 2^k codes. A channel without images (low = ∞, high = −∞) gives 0 and 0. The result depends only on
    ``low`` and ``high``, not on the order in which images were added.
    """
    has_images = low <= high
    first, last = (bin_code(np.where(has_images, end, np.float32(0))) for end in (low, high))
    k = np.zeros(first.shape, np.int64)
    while (wide := (last >> k) - (first >> k) >= BINS).any():
        k += wide
    return first >> k, k


def regrid(counts: UInt32s, old: tuple[Int64s, Int64s], new: tuple[Int64s, Int64s]) -> UInt32s:
    """Return counts (K, C, BINS) of one ``grid`` as counts of another, wider grid."""
    moved = np.flatnonzero((old[0] != new[0]) | (old[1] != new[1]))
    if not len(moved):
        return counts
    (start, narrow), (first, wide) = ((index[moved], k[moved]) for index, k in (old, new))
    regridded = counts.copy()
    regridded[:, moved] = 0
    for number in range(BINS):
        # Bins above the largest s are empty, so it does not matter where they are added.
        target = np.clip((((start + number) << narrow) >> wide) - first, 0, BINS - 1)
        regridded[:, moved, target] += counts[:, moved, number]
    return regridded
