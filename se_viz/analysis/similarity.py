"""Comparing gates of different networks, whose channels have nothing to do with each other."""

import numpy as np
import numpy.typing as npt

from se_viz.types import AnyFloats


def effective_rank(s: AnyFloats) -> float:
    """How many independent ways a gate has to respond to images (Roy & Vetterli 2007).

    The exponential of the entropy of the singular values of s with its mean over images taken off: 1 where all images
    move s along one line, at most min(N − 1, C), and 0 where no image moves it.

    Args:
        s: excitation weights (N, C).
    """
    values = np.linalg.svd(_centred(s), compute_uv=False)
    total = values.sum()
    if total <= _TINY * max(1.0, float(np.abs(s).max(initial=0))) * s.size**0.5:
        return 0.0
    shares = values[values > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def linear_cka(a: AnyFloats, b: AnyFloats) -> float:
    """Whether two gates see the same images as alike: linear CKA (Kornblith et al. 2019), 0 to 1.

    It does not change when the channels of either are permuted, rotated or scaled together, so it compares gates of
    different networks and widths. Not a number where either gate responds alike to all images.

    Args:
        a, b: excitation weights of the same N images, (N, C₁) and (N, C₂).

    Raises:
        ValueError: the numbers of images differ.
    """
    if len(a) != len(b):
        raise ValueError(f"Both must be of the same images, not of {len(a)} and {len(b)}.")
    a, b = _centred(a), _centred(b)
    # Of images or of channels, whichever are fewer: both ways give the same number.
    if len(a) <= min(a.shape[1], b.shape[1]):
        gram_a, gram_b = a @ a.T, b @ b.T
        joint, own = float((gram_a * gram_b).sum()), float(np.linalg.norm(gram_a) * np.linalg.norm(gram_b))
    else:
        joint = float(np.linalg.norm(a.T @ b) ** 2)
        own = float(np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    return joint / own if own > 0 else float("nan")


_TINY = 1e-12  # of rounding, in double precision


def _centred(s: AnyFloats) -> npt.NDArray[np.float64]:
    wide = s.astype(np.float64)
    centred: npt.NDArray[np.float64] = wide - wide.mean(axis=0)
    return centred
