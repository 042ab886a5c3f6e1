"""Numbers of a compact atlas, rounded to well below what a few hundred images a class can tell.

With 400 images a mean is uncertain by 1/20 of the standard deviation σ, σ by 1/28 of itself, a median by 1/16 σ.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Shares of a class's images that lie below the quantiles that are kept.
SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
# Of a standard deviation; the ends are where chance puts them.
_QUANTILE_STEPS = np.array([4.0, 8, 8, 8, 8, 8, 4])[:, None, None]

_MEAN_STEP = 2
_STEPS_AN_OCTAVE = 16


def pack_mean(mean: Floats, base: npt.NDArray[np.uint16]) -> npt.NDArray[np.int16]:
    """Means of codes (K, C) as differences from one code a channel (C,), exact to one code."""
    steps: Floats = np.clip(np.rint((mean - base) / _MEAN_STEP), -32767, 32767)
    return steps.astype(np.int16)


def unpack_mean(packed: npt.NDArray[np.int16], base: npt.NDArray[np.uint16]) -> Floats:
    """The other way."""
    return base.astype(np.float64) + packed.astype(np.float64) * _MEAN_STEP


def pack_std(std: Floats) -> npt.NDArray[np.uint8]:
    """Standard deviations of codes on a scale of octaves, exact to 2.2 %; those below half a code become 0."""
    octaves = np.log2(np.maximum(std, 1))
    steps: npt.NDArray[np.float64] = np.where(std < 0.5, 0, 1 + np.rint(octaves * _STEPS_AN_OCTAVE))
    return steps.astype(np.uint8)


def unpack_std(packed: npt.NDArray[np.uint8]) -> Floats:
    """The other way."""
    return np.where(packed == 0, 0.0, np.exp2((packed.astype(np.float64) - 1) / _STEPS_AN_OCTAVE))


def pack_quantiles(values: Floats, mean: Floats, std: Floats) -> npt.NDArray[np.int8]:
    """Quantiles (7, K, C), mean and std (K, C), all in codes → steps from the mean, by the standard deviation."""
    apart = (values - mean) / np.where(std > 0, std, np.inf)
    steps: Floats = np.clip(np.rint(apart * _QUANTILE_STEPS), -127, 127)
    return steps.astype(np.int8)


def unpack_quantiles(packed: npt.NDArray[np.int8], mean: Floats, std: Floats) -> Floats:
    """The other way, for any shape behind the first axis; rounding does not put one before another."""
    steps = _QUANTILE_STEPS.reshape(-1, *[1] * (packed.ndim - 1))
    return np.sort(mean + packed / steps * std, axis=0)
