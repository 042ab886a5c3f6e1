"""Orders of a gate's channels along the axis of a heatmap."""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import pdist

Order: TypeAlias = Literal["index", "mean", "variance", "similarity"]


def order_channels(s: npt.NDArray[np.float32], by: Order) -> npt.NDArray[np.intp]:
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
        leaves: npt.NDArray[np.intp] = leaves_list(linkage(pdist(s.T), method="ward")).astype(np.intp)
        # A dendrogram has no left and right. The end with larger s comes first, so that the order does not flip
        # between gates.
        ends = max(1, len(leaves) // 10)
        first, last = (s[:, end].mean(dtype=np.float64) for end in (leaves[:ends], leaves[-ends:]))
        return leaves if first >= last else leaves[::-1]
    return np.arange(s.shape[1])
