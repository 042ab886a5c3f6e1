"""Comparison of gates of different networks, whose channels do not correspond to each other."""

import numpy as np

from se_viz.types import AnyFloats, Floats


def effective_rank(s: AnyFloats) -> float:
    """Return the effective number of independent directions of s (Roy & Vetterli 2007).

    It is the exponential of the entropy of the singular values of s minus its mean over images: 1 if all images move s
    along one line, at most min(N − 1, C), and 0 if s is the same for all images.

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
    """Return linear CKA (Kornblith et al. 2019), 0 to 1: the similarity of two gates' responses to the same images.

    It does not change if the channels of either gate are permuted, rotated or scaled together, so gates of different
    networks and widths can be compared. NaN if either gate responds equally to all images.

    Args:
        a, b: excitation weights of the same N images, (N, C₁) and (N, C₂).

    Raises:
        ValueError: the numbers of images differ.
    """
    if len(a) != len(b):
        raise ValueError(f"Both gates must have the same images, not {len(a)} and {len(b)}.")
    a, b = _centred(a), _centred(b)
    # The Gram matrix of images and that of channels give the same CKA; the smaller one is computed.
    if len(a) <= min(a.shape[1], b.shape[1]):
        gram_a, gram_b = a @ a.T, b @ b.T
        joint, norm = float((gram_a * gram_b).sum()), float(np.linalg.norm(gram_a) * np.linalg.norm(gram_b))
    else:
        joint = float(np.linalg.norm(a.T @ b) ** 2)
        norm = float(np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    return joint / norm if norm > 0 else float("nan")


_TINY = 1e-12  # rounding error of double precision


def _centred(s: AnyFloats) -> Floats:
    wide = s.astype(np.float64)
    centred: Floats = wide - wide.mean(axis=0)
    return centred
