"""Sums of s and s² that are exact in any order, and the mean and standard deviation computed from them.

s is converted to an integer m, in steps of 2⁻²⁴. This is exact for a 32-bit s of 0.5 and more, and rounds a smaller s
by at most 2⁻²⁵. The sum of squares does not fit into 64 bits, so it is stored as two numbers: Σ⌊m²/2⁴⁰⌋ gives its
approximate size, and Σm² modulo 2⁶⁴ its exact value near that size. This works for up to eight million images per
class.
"""

import numpy as np

from se_viz.types import AnyFloats, Bools, Floats, Int64s, UInt64s

LIMIT = 65_536.0  # s beyond ±LIMIT counts as ±LIMIT
_STEPS = 2.0**24
_HALF = np.uint64(20)  # half of the 40 bits of the largest m


def whole_steps(s: AnyFloats) -> Int64s:
    """Return the integers m of finite weights s, in the same shape."""
    return np.rint(np.clip(s.astype(np.float64), -LIMIT, LIMIT) * _STEPS).astype(np.int64)


def is_clipped(s: AnyFloats) -> Bools:
    """Return a mask of the weights beyond ±LIMIT, in the same shape."""
    beyond: Bools = np.abs(s) > LIMIT
    return beyond


def sums(steps: Int64s) -> tuple[Int64s, UInt64s]:
    """Return Σm and the two numbers for Σm² over the first axis: (N, C) → (C,) and (2, C)."""
    size = np.abs(steps).astype(np.uint64)
    square = size * size
    if size.max(initial=0) < 1 << 32:  # |s| < 256: the square fits into 64 bits
        high = square >> (2 * _HALF)
    else:
        upper, lower = size >> _HALF, size & np.uint64((1 << 20) - 1)
        high = upper * upper + (((2 * upper * lower << _HALF) + lower * lower) >> (2 * _HALF))
    return steps.sum(axis=0), np.stack([high.sum(axis=0), square.sum(axis=0)])


def mean_and_std(count: Int64s, total: Int64s, squares: UInt64s) -> tuple[Floats, Floats]:
    """Return mean and population standard deviation (divisor N) of s; NaN where the count is 0.

    Args:
        count: number of images; broadcast to the shape of ``total``.
        total: Σm, of any shape.
        squares: the two numbers for Σm², (2, …).
    """
    images = np.maximum(count, 1)
    centre = np.rint(total / images).astype(np.int64)
    rest = (total - images * centre) / images
    # Σ(m − centre)² = Σm² − centre · (2 Σm − images · centre), once approximately and once exactly modulo 2⁶⁴.
    rough = (squares[0] + images / 2) * 2.0**40 - centre * (2.0 * total - images * centre.astype(np.float64))
    with np.errstate(over="ignore"):
        exact = squares[1] - (centre * (2 * total - images * centre)).astype(np.uint64)
    deviations = np.maximum(exact + 2.0**64 * np.rint((rough - exact) / 2.0**64), 0)
    std = np.sqrt(np.maximum(deviations / images - np.square(rest), 0)) / _STEPS
    mean = (centre + rest) / _STEPS
    return np.where(count > 0, mean, np.nan), np.where(count > 0, std, np.nan)
