"""Results of a gate of class profiles: moments, histograms and example images."""

from dataclasses import dataclass

from se_viz.types import Floats, Int64s


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and standard deviation (over images, divisor N) of the selected classes and channels.

    Shapes are (K, C), without the axis of a class or channel that was selected by index; ``count`` has no channel axis.
    Mean and standard deviation are NaN for a class without images.
    """

    count: Int64s
    mean: Floats
    std: Floats


@dataclass(frozen=True, slots=True)
class Histogram:
    """Number of images with s in each bin: counts (…, B), and the B + 1 borders of the bins.

    Borders (…, B + 1) differ by channel and are the same for all classes. A bin of zero width is a heap: all its images
    have exactly the value of its borders, and no other bin has an image with that value. A bin may be empty.

    Class profiles of format 1 have no heaps. Exact ones have 64 bins of equal width, the same for all channels. Compact
    ones have six bins between quantiles, different for each class, with 5, 20, 25, 25, 20 and 5% of its images.

    Attributes:
        counts, edges: as above.
        slack: maximum error of each border (…, B + 1); 0 except for compact class profiles of format 1.
        auroc_error: maximum error of the AUROC of two classes computed from these counts, by channel (…); None if only
            the counts themselves give a bound.
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
