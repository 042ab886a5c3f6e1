"""Separation of the few channels and images that are exceptions from the rest of a gate's weights."""

from dataclasses import dataclass

import numpy as np

from se_viz.analysis.verdicts import FEW, JUMP
from se_viz.types import Bools, Floats


@dataclass(frozen=True, slots=True)
class Exceptions:
    """The images and channels whose s deviates.

    Attributes:
        images: mask (N,) of the images set aside because many of their channels deviate; empty if they are more than
            a few.
        channels: mask (C,) of the channels that deviate in the remaining images.
    """

    images: Bools
    channels: Bools

    @property
    def none(self) -> bool:
        """True if nothing deviates."""
        return not (self.images.any() or self.channels.any())

    @property
    def few(self) -> bool:
        """True if so few channels deviate that a verdict with "mostly" applies."""
        return _few(self.channels)


def exceptions(off: Floats, within: float, scale: Floats | float = 1.0) -> Exceptions:
    """Find the images and channels that deviate by more than a distance.

    Args:
        off: (N, C), deviation of each weight.
        within: limit of a channel's root mean square over the images.
        scale: divisor of ``off``, broadcast.
    """
    far = np.abs(off) / scale
    images: Bools = (far > 2 * within).mean(axis=1) > FEW
    if not _few(images):
        images = np.zeros_like(images)
    rest = far[~images]
    channels: Bools = (np.sqrt(np.square(rest).mean(axis=0)) >= within) | (rest.max(axis=0) >= JUMP)
    return Exceptions(images, channels)


def _few(mask: Bools) -> bool:
    return bool(mask.sum() <= FEW * len(mask) + 1e-9)  # so that 3 of 30 count as few despite rounding
