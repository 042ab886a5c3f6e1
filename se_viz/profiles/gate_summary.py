"""What a gate of class profiles answers with."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from se_viz.types import Floats


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and standard deviation (over the images, divided by their number) of some classes and channels.

    Shapes are (K, C) without the axis that one class or one channel was picked of; count has no channels. Mean and
    deviation are not numbers where a class has no images.
    """

    count: npt.NDArray[np.int64]
    mean: Floats
    std: Floats


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many images had s in each bin: counts (…, B), and the B + 1 borders of the bins.

    Borders (…, B + 1) differ by channel and are the same for all classes. A bin without width is a heap: all its images
    have the very value of its borders, and no other bin has an image with that value. A bin may hold nothing.

    Class profiles of format 1 have no heaps: exact ones have 64 bins of equal width, the same for all channels; a
    compact one
    has six bins between quantiles, other ones for each class, which hold 5, 20, 25, 25, 20 and 5 % of its images.

    Attributes:
        counts, edges: as above.
        slack: how far a border may lie from where it is said to be (…, B + 1); 0 but for a compact one of format 1.
        auroc_error: what the AUROC of two classes out of these counts is off by at most, by channel (…); None where
            nothing is known but what the counts themselves say.
    """

    counts: Floats
    edges: Floats
    slack: Floats | float = 0.0
    auroc_error: Floats | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """An image with a high or low s of a channel: its name in the dataset, the sha256 of its file, its class, its s."""

    name: str
    sha256: str
    label: str
    s: float
