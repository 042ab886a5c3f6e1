"""Similarity of classes in a gate, and similarity of gates over the classes."""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.types import AnyFloats, Counts, Floats, Positions


def class_similarity(mean: Floats, centred: bool = True) -> Floats:
    """Return the cosine between the mean excitation patterns of two classes (K, K), −1 to 1.

    NaN in the rows of classes without images, and of a class that does not differ from the mean.

    Args:
        mean: mean s of each class (K, C); NaN for classes without images.
        centred: whether to subtract the mean over classes from each channel first, and so compare the differences
            between classes. If not, the patterns themselves are compared: 1 means that they differ only in scale, as
            in SE_5_3 of the paper.
    """
    if centred:
        mean = mean - np.nanmean(mean, axis=0)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = np.where(length > _TINY, mean / length, np.nan)
    similarity: Floats = np.clip(unit @ unit.T, -1, 1)
    return similarity


def most_dissimilar(similarity: AnyFloats, counts: Counts) -> tuple[int, int] | None:
    """Return the two least similar classes of those with two images or more; None if there are no two.

    Args:
        similarity: from ``class_similarity`` (K, K).
        counts: number of images of each class (K,).
    """
    few = counts < 2
    apart = np.where(np.isnan(similarity) | few | few[:, None], np.inf, similarity)
    one, other = np.unravel_index(apart.argmin(), apart.shape)
    return (int(one), int(other)) if np.isfinite(apart[one, other]) and one != other else None


@dataclass(frozen=True, slots=True)
class Tree:
    """A dendrogram of K classes.

    Attributes:
        order: (K,) the classes in an order that puts those that are joined early next to each other.
        links: (K − 1, 4) as returned by ``scipy.cluster.hierarchy.linkage``; heights are 1 − similarity.
    """

    order: Positions
    links: Floats


def tree(similarity: Floats) -> Tree:
    """Join the most similar classes first (average linkage on 1 − similarity), (K, K) → K − 1 joins.

    NaN counts as a similarity of 0.
    """
    if len(similarity) < 2:
        return Tree(np.arange(len(similarity)), np.zeros((0, 4)))
    distance = 1 - np.nan_to_num(similarity)
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    condensed = squareform(distance, checks=False)
    links = linkage(condensed, method="average")
    # Ordering the leaves takes K³: half a minute at 1,000 classes.
    if len(similarity) <= _MOST_ORDERED:
        links = optimal_leaf_ordering(links, condensed)
    return Tree(leaves_list(links).astype(np.intp), links)


@dataclass(frozen=True, slots=True)
class GateSimilarity:
    """Similarity of each pair of G gates; NaN for a gate that does not separate classes.

    Attributes:
        cka: linear CKA (G, G), 0 to 1: whether two gates separate the same classes.
        chance: mean CKA if the classes of one gate were shuffled (G, G). It is high if there are few classes.
    """

    cka: Floats
    chance: Floats


def gate_similarity(profiles: ClassProfiles, rows_at_once: int = 32) -> GateSimilarity:
    """Return the similarity of the gates: linear CKA (see ``linear_cka``) of their mean patterns by class.

    Classes take the place of images. The Gram matrices of G gates over K classes are computed ``rows_at_once``
    at a time, so that 100 gates over 1,000 classes take no more memory than the means.
    """
    nonempty = profiles.counts > 0
    means = [gate.s().mean[nonempty] for gate in profiles]
    centred = [mean - mean.mean(axis=0) for mean in means]
    joint = np.zeros((len(centred), len(centred)))
    for start in range(0, int(nonempty.sum()), rows_at_once):
        grams = np.stack([(one[start : start + rows_at_once] @ one.T).ravel() for one in centred])
        joint += grams @ grams.T
    lengths = np.sqrt(np.diag(joint))
    lengths[lengths <= _TINY] = np.nan
    # The mean of tr(A P B Pᵀ) over all orders P of the classes, for centred A and B, is tr(A) tr(B) / (K − 1).
    traces = np.array([np.square(one).sum() for one in centred]) / lengths
    return GateSimilarity(
        np.clip(joint / np.outer(lengths, lengths), 0, 1), np.outer(traces, traces) / max(1, int(nonempty.sum()) - 1)
    )


_TINY = 1e-9  # far below the resolution of s
_MOST_ORDERED = 300
