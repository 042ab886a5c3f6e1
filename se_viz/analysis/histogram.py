"""Shares and quantiles from the histograms of s in class profiles.

A bin without width is a heap: all its images have the same value. Inside any other bin, images are assumed to be
spread evenly. So shares and quantiles are exact in a heap and at a bin's border.
"""

from collections.abc import Sequence

import numpy as np

from se_viz.profiles.class_profiles import Histogram
from se_viz.types import Floats


def share_below(histogram: Histogram, value: float) -> Floats:
    """Return the share of the images with s below a value, 0–1, by class and channel (K, C).

    The error is less than the share of the images in the value's bin. The share is exact at the value of a heap, whose
    images are not below it. NaN where there are no images.
    """
    left, width = histogram.edges[..., :-1], np.diff(histogram.edges, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A bin without width is either below the value or not.
        inside = np.where(width > 0, np.clip((value - left) / width, 0, 1), left < value)
        share: Floats = (histogram.counts * inside).sum(axis=-1) / histogram.counts.sum(axis=-1)
    return share


def quantiles(histogram: Histogram, shares: Sequence[float]) -> Floats:
    """Return the values of s below which these shares (0–1) of the images lie, (Q, …).

    The error is less than the width of the bin; in a heap, which has no width, the value is exact. NaN where there are
    no images. The bands of the paper's Figure 7 are drawn with them.
    """
    counts = histogram.counts
    edges = np.broadcast_to(histogram.edges, (*counts.shape[:-1], counts.shape[-1] + 1))
    below = np.concatenate([np.zeros((*counts.shape[:-1], 1)), counts.cumsum(axis=-1)], axis=-1)
    total = below[..., -1:]
    found = []
    for share in shares:
        wanted = share * total
        # The first bin with images that ends at the share or above.
        index = np.maximum((below[..., 1:] < wanted).sum(-1), (below[..., 1:] == 0).sum(-1))[..., None]
        index = np.minimum(index, counts.shape[-1] - 1)
        before, held = (np.take_along_axis(array, index, axis=-1) for array in (below[..., :-1], counts))
        left, right = (np.take_along_axis(edges[..., cut], index, axis=-1) for cut in (slice(-1), slice(1, None)))
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(held > 0, (wanted - before) / held, 0)
        found.append(np.where(total > 0, left + part * (right - left), np.nan)[..., 0])
    return np.stack(found)
