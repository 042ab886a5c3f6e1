"""Excitation weights as whole numbers, so that counting and sorting them is exact and does not depend on their order.

Two codes, the same for every gate function, so nothing has to be known of its range:

- ``ordered``: the 32 bits of s itself, arranged so that they sort as s does. Nothing is lost.
- ``bin_code``: s in steps of 2⁻²⁴ up to 1, of 2⁻²³ from there to 3, of 2⁻²² to 7 and so on, for histograms. Bins are
  runs of 2^k codes, so bins of one width become those of the next by adding two and two.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from se_viz.types import AnyFloats, Float32s, Floats

Ordered: TypeAlias = npt.NDArray[np.uint32]
BinCodes: TypeAlias = npt.NDArray[np.int64]

# Values that gate functions end at, or give for an input of 0: counted each for itself, apart from the bins.
HEAPS = (-1.0, 0.0, 0.5, 1.0, 2.0, 6.0)
BINS = 56

_SIGN = np.uint32(1 << 31)
_ONE = int(np.float64(1).view(np.int64))
_DROPPED = 28  # of the 52 bits of a float64's fraction, so that 24 are left


def ordered(s: Float32s) -> Ordered:
    """The bits of s, arranged so that they sort as s does; −0 is 0.

    Raises:
        ValueError: some s is not a number, which has no place in an order.
    """
    if np.isnan(s).any():
        raise ValueError("Some s is not a number (NaN): leave its image out.")
    bits = (s.astype(np.float32) + np.float32(0)).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def unordered(codes: npt.NDArray[np.integer]) -> Float32s:
    """The other way."""
    bits = codes.astype(np.uint32)
    return np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float32)


def bin_code(s: AnyFloats) -> BinCodes:
    """The code, of finite s, whose step s lies in: the highest that is not above s."""
    # The bits of a float grow in steps that double with each octave; 1 is added so that the first octave is 0 … 1.
    size = (np.abs(s.astype(np.float64)) + 1).view(np.int64) - _ONE
    return np.where(s < 0, -size, size) >> _DROPPED


def bin_edge(codes: npt.NDArray[np.integer]) -> Floats:
    """The lowest s of each code."""
    wide = codes.astype(np.int64)
    size = ((np.abs(wide) << _DROPPED) + _ONE).view(np.float64) - 1
    return np.where(wide < 0, -size, size)


def grid(low: Float32s, high: Float32s) -> tuple[BinCodes, BinCodes]:
    """The narrowest ``BINS`` bins that hold low … high, for each channel: number of the first, and k of 2^k codes.

    ∞ and −∞, of a channel without images, give 0 and 0. It depends on the ends alone, not on how they came about.
    """
    there = low <= high
    first, last = (bin_code(np.where(there, end, np.float32(0))) for end in (low, high))
    k = np.zeros(first.shape, np.int64)
    while (wide := (last >> k) - (first >> k) >= BINS).any():
        k += wide
    return first >> k, k


def regrid(
    counts: npt.NDArray[np.uint32], old: tuple[BinCodes, BinCodes], new: tuple[BinCodes, BinCodes]
) -> npt.NDArray[np.uint32]:
    """Counts (K, C, BINS) of the bins of one ``grid`` → those of another, wider one."""
    moved = np.flatnonzero((old[0] != new[0]) | (old[1] != new[1]))
    if not len(moved):
        return counts
    (start, narrow), (first, wide) = ((one[moved], k[moved]) for one, k in (old, new))
    made = counts.copy()
    made[:, moved] = 0
    for number in range(BINS):
        # Bins behind the last image lie anywhere, and hold nothing.
        place = np.clip((((start + number) << narrow) >> wide) - first, 0, BINS - 1)
        made[:, moved, place] += counts[:, moved, number]
    return made
