"""Telling what nearly all weights of a gate do from what a few channels or images do."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from se_viz.analysis.verdicts import FEW, JUMP

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Exceptions:
    """Where s is not what it is elsewhere.

    Attributes:
        images: of N, those set aside because many of their channels are off; all others if they are more than a few.
        channels: of C, those that are off in the remaining images.
    """

    images: Mask
    channels: Mask

    @property
    def none(self) -> bool:
        """Whether nothing is off."""
        return not (self.images.any() or self.channels.any())

    @property
    def few(self) -> bool:
        """Whether so few channels are off that something can be said of most."""
        return _few(self.channels)


def exceptions(off: npt.NDArray[np.float64], within: float, scale: npt.NDArray[np.float64] | float = 1.0) -> Exceptions:
    """Find what is not within a distance.

    Args:
        off: (N, C), how far each weight is from where it should be.
        within: the distance, of a channel's root mean square over the images.
        scale: by which ``off`` is divided first, broadcast.
    """
    far = np.abs(off) / scale
    images: Mask = (far > 2 * within).mean(axis=1) > FEW
    if not _few(images):
        images = np.zeros_like(images)
    rest = far[~images]
    channels: Mask = (np.sqrt(np.square(rest).mean(axis=0)) >= within) | (rest.max(axis=0) >= JUMP)
    return Exceptions(images, channels)


def _few(mask: Mask) -> bool:
    return bool(mask.sum() <= FEW * len(mask) + 1e-9)  # so that 3 of 30 are few, however the product is rounded
