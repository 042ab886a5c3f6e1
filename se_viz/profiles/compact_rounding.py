"""Rounding of numbers in compact class profiles, to well below the sampling error of a few hundred images per class.

With 400 images, the standard error of a mean is 1/20 of the standard deviation σ, and that of σ is 1/28 of σ.
"""

import numpy as np

from se_viz.types import Float32s, Floats, Int8s, Int32s, UInt8s, UInt32s

# A mean is stored in steps of 1/32 to 1/16 of its channel's σ, and off by less than 0.0005, however large σ is.
_STEP, _FINEST, _COARSEST = -5, -24, -10
_STEPS_AN_OCTAVE = 16
_MIDDLE = 128


def octaves(spread: Floats) -> Int8s:
    """Return the exponent of the largest power of two ≤ each standard deviation (C,); −30 for less than 2⁻³⁰."""
    return np.floor(np.log2(np.maximum(spread, 2.0**-30))).astype(np.int8)


def base(mean: Floats, spread: Int8s) -> Float32s:
    """Return a number with few digits near the mean of each channel (C,)."""
    rough = np.minimum(spread.astype(np.int32), 0)
    return np.ldexp(np.rint(np.ldexp(mean, -rough)), rough).astype(np.float32)


def pack_mean(mean: Floats, near: Float32s, spread: Int8s) -> UInt32s:
    """Return means (K, C) as integers: differences from ``near`` (C,), off by at most half a step.

    The sign is in the lowest bit, so a small integer is a small difference of either sign.
    """
    steps = np.rint(np.ldexp(mean - near, -_steps(spread))).astype(np.int32)
    return np.where(steps < 0, -2 * steps - 1, 2 * steps).astype(np.uint32)


def unpack_mean(packed: UInt32s, near: Float32s, spread: Int8s) -> Floats:
    """Return the means (K, C) that ``pack_mean`` has packed, rounded."""
    wide = packed.astype(np.int64)
    steps = np.where(wide % 2, -(wide + 1) // 2, wide // 2).astype(np.float64)
    mean: Floats = near.astype(np.float64) + np.ldexp(steps, _steps(spread))
    return mean


def pack_std(std: Floats, spread: Int8s) -> UInt8s:
    """Return standard deviations (K, C) as logarithms of their ratio to ``spread`` (C,), exact to 2.2%.

    0 stays 0; other values below 1/256 of the channel's standard deviation are stored as 1/256 of it.
    """
    shares = np.ldexp(std, -spread.astype(np.int32))
    steps = np.rint(np.log2(np.maximum(shares, 2.0**-10)) * _STEPS_AN_OCTAVE)
    return np.where(std > 0, np.clip(_MIDDLE + steps, 1, 255), 0).astype(np.uint8)


def unpack_std(packed: UInt8s, spread: Int8s) -> Floats:
    """Return the standard deviations (K, C) that ``pack_std`` has packed, rounded."""
    shares = np.exp2((packed.astype(np.float64) - _MIDDLE) / _STEPS_AN_OCTAVE)
    return np.where(packed == 0, 0.0, np.ldexp(shares, spread.astype(np.int32)))


def _steps(spread: Int8s) -> Int32s:
    return np.clip(spread.astype(np.int32) + _STEP, _FINEST, _COARSEST)
