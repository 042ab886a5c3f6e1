"""Orders of a gate's channels along the axis of a heatmap."""

from typing import Literal, TypeAlias

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import pdist

from se_viz.types import Float32s, Positions

Order: TypeAlias = Literal["index", "mean", "variance", "similarity"]

AT_FIRST: Order = "variance"
"""The order of heatmaps until another is chosen: what differs between the images is at the left."""

_MOST_MARKED = 10
_SEEN = 1e-4  # standard deviations of s below this may be rounding


def order_channels(s: Float32s, by: Order) -> Positions:
    """Return the channel indices (C,) in an order.

    Args:
        s: excitation weights (N, C).
        by: "index", as in the network; "mean" over the images, highest first; "variance" over the images, highest
            first (by index for one image, which has no variance); "similarity": neighbours respond alike to the images
            (Ward's clustering of the columns; by index where s is not finite).
    """
    with np.errstate(invalid="ignore", over="ignore"):  # infinite s has no variance and is sorted last
        if by == "mean":
            return np.argsort(-s.mean(axis=0), kind="stable")
        if by == "variance":
            return np.argsort(-s.var(axis=0), kind="stable")
    if by == "similarity" and s.shape[1] > 1 and np.isfinite(s).all():
        leaves: Positions = leaves_list(linkage(pdist(s.T), method="ward")).astype(np.intp)
        # A dendrogram has no left and right. The end with larger s comes first, so that the order does not flip
        # between gates.
        ends = max(1, len(leaves) // 10)
        first, last = (s[:, end].mean(dtype=np.float64) for end in (leaves[:ends], leaves[-ends:]))
        return leaves if first >= last else leaves[::-1]
    return np.arange(s.shape[1])


def most_varying(s: Float32s) -> dict[int, float]:
    """Return the channels whose s varies most between the images, most first, each with its standard deviation.

    They are a tenth of the channels, at most ten.

    Channels are left out whose s is the same for all images, or not finite; so a single image has none.

    Args:
        s: excitation weights (N, C).
    """
    with np.errstate(invalid="ignore", over="ignore"):
        deviation = s.std(axis=0, dtype=np.float64)
    ranked = np.argsort(-np.where(np.isfinite(deviation), deviation, 0), kind="stable")
    count = min(_MOST_MARKED, max(1, s.shape[1] // 10))
    return {
        int(channel): float(deviation[channel]) for channel in ranked[:count] if _SEEN < deviation[channel] < np.inf
    }
