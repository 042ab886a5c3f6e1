"""Excitation weights as 16-bit integers, so that sums of them are exact and do not depend on their order.

A gate's range is divided into 65,535 steps. Gate functions that end somewhere have their own range; the others get a
stated one, and what falls outside is counted and moved to its end.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TOP = 65_535
BINS = 64
_BIN_SHIFT = 10  # 65,536 values into 64 bins of 1,024

Codes = npt.NDArray[np.uint16]

# Gate function → lowest and highest s. ReLU has no end; trained gates stay well below 8.
RANGES = {
    "sigmoid": (0.0, 1.0),
    "hard-sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, 8.0),
    "relu6": (0.0, 6.0),
}
_ANY = (-8.0, 8.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """The range of a gate's s, and its steps."""

    low: float
    high: float

    @property
    def step(self) -> float:
        """What one unit of a code is worth."""
        return (self.high - self.low) / TOP

    def encode(self, s: npt.NDArray[np.floating]) -> Codes:
        """Weights of any shape → codes of the same shape, off by half a step at most inside the range."""
        scaled = (s.astype(np.float64) - self.low) / self.step
        return np.clip(np.rint(scaled), 0, TOP).astype(np.uint16)

    def decode(self, codes: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
        """Codes, or means of codes → weights."""
        decoded: npt.NDArray[np.float64] = self.low + codes.astype(np.float64) * self.step
        return decoded

    def outside(self, s: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Which weights lie outside the range."""
        beyond: npt.NDArray[np.bool_] = (s < self.low) | (s > self.high)
        return beyond

    def edges(self) -> npt.NDArray[np.float64]:
        """The 65 borders of the 64 bins, as weights: a code lies in bin ``code >> 10``.

        Borders are half a step below a bin's first code, as that is where rounding begins to give it.
        """
        return self.decode(np.arange(BINS + 1) * (1 << _BIN_SHIFT) - 0.5)


def scale_of(function: str) -> Scale:
    """The scale of a gate function by name; unknown ones get −8 to 8."""
    return Scale(*RANGES.get(function, _ANY))


def bins(codes: Codes) -> npt.NDArray[np.int64]:
    """The bin, 0 … 63, of each code."""
    return (codes >> _BIN_SHIFT).astype(np.int64)
