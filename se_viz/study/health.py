"""Whether a gate does anything: dead, saturated, constant or working."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Verdict: TypeAlias = Literal["dead", "saturated", "constant", "working"]

# A weight this close to 0 shuts its channel, one this close to 1 leaves it as it is.
CLOSE = 0.1
_NEARLY_ALL = 0.95
# Weights that differ by less than this are the same to the eye, and to the maps they scale.
_STILL = 0.025


@dataclass(frozen=True, slots=True)
class Health:
    """A gate's weights over some images, in numbers and words.

    Attributes:
        mean, spread: of s over channels and images; spread is the standard deviation over channels, averaged over
            the images.
        shut: share of s within 0.1 of 0, 0–1; below 0.1 for a gate function that has no negative values.
        open: share of s within 0.1 of 1, 0–1; above 0.9 for a gate function that ends at 1.
        clipped: share of s at exactly 0 or 1, which hard-sigmoid and ReLU reach.
        variation: standard deviation of a channel's s between images, averaged over channels; None for one image.
        verdict: in one word.
        meaning: what that means, in a sentence or two.
    """

    mean: float
    spread: float
    shut: float
    open: float
    clipped: float
    variation: float | None
    verdict: Verdict
    meaning: str


def health(s: npt.NDArray[np.float32]) -> Health:
    """Judge a gate of any gate function by its excitation weights s (N, C)."""
    mean, spread = float(s.mean()), float(s.std(axis=1).mean())
    shut, left = float((np.abs(s) < CLOSE).mean()), float((np.abs(s - 1) < CLOSE).mean())
    variation = float(s.std(axis=0).mean()) if len(s) > 1 else None
    verdict, meaning = _judge(mean, spread, shut, left, variation)
    return Health(mean, spread, shut, left, float(((s == 0) | (s == 1)).mean()), variation, verdict, meaning)


def _judge(mean: float, spread: float, shut: float, left: float, variation: float | None) -> tuple[Verdict, str]:
    if shut >= _NEARLY_ALL:
        return "dead", (
            f"{shut:.0%} of the weights are within {CLOSE} of 0: the gate shuts nearly every channel, "
            "so its block adds little to what flows around it."
        )
    if left >= _NEARLY_ALL:
        return "saturated", (
            f"{left:.0%} of the weights are within {CLOSE} of 1: the gate lets nearly everything through unchanged, "
            "so it could be left out at little loss."
        )
    if variation is None:
        if spread < _STILL:
            return "constant", (
                f"Every channel of this picture gets about {mean:.2f}, so the gate only scales its block. "
                "Add a second picture to see whether the weights depend on it."
            )
        return "working", (
            f"Channels are weighted differently, by {spread:.2f} around a mean of {mean:.2f}. "
            "Add a second picture to see whether the weights depend on it."
        )
    if variation < _STILL:
        if spread < _STILL:
            return "constant", (
                f"Every channel gets about {mean:.2f} in all these pictures: the gate only scales its block, "
                "as an untrained one does at 0.5."
            )
        return "constant", (
            f"Channels differ, but hardly between these pictures (by {variation:.3f} on average): to them the weights "
            "are fixed factors, which could be folded into the convolution before the gate."
        )
    return "working", (
        f"Channels are weighted differently (spread {spread:.2f}) and differently for each picture "
        f"(by {variation:.3f} on average): the gate chooses channels by what it sees."
    )
