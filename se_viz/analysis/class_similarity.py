"""Which classes a gate treats alike, and which gates treat the classes alike."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from se_viz.profiles.class_profiles import ClassProfiles, GateProfile

Floats = npt.NDArray[np.float64]


def class_similarity(gate: GateProfile, centred: bool = True) -> Floats:
    """How alike the mean excitation patterns of the classes are (K, K), −1 to 1.

    Args:
        gate: a gate of class profiles.
        centred: take the mean over classes off each channel first, and compare what sets the classes apart; else
            compare the patterns as they are, where 1 says that one is the other up to scale (as the paper says of its
            SE_5_3).

    Not a number in the rows of classes without images, or of a class that is no different from the mean.
    """
    mean = gate.s().mean
    if centred:
        mean = mean - np.nanmean(mean, axis=0)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = np.where(length > _TINY, mean / length, np.nan)
    similarity: Floats = np.clip(unit @ unit.T, -1, 1)
    return similarity


def most_dissimilar(similarity: npt.NDArray[np.floating], counts: npt.NDArray[np.int64]) -> tuple[int, int] | None:
    """The two classes that are least alike, of those with two images or more; None where there are no two.

    Args:
        similarity: of ``class_similarity`` (K, K).
        counts: images of each class (K,).
    """
    few = counts < 2
    apart = np.where(np.isnan(similarity) | few | few[:, None], np.inf, similarity)
    one, other = np.unravel_index(apart.argmin(), apart.shape)
    return (int(one), int(other)) if np.isfinite(apart[one, other]) and one != other else None


@dataclass(frozen=True, slots=True)
class Tree:
    """A dendrogram of K classes.

    Attributes:
        order: (K,) the classes such that those that are joined early stand together.
        links: (K − 1, 4) as ``scipy.cluster.hierarchy.linkage`` gives them; heights are 1 − similarity.
    """

    order: npt.NDArray[np.intp]
    links: Floats


def tree(similarity: Floats) -> Tree:
    """Join the most similar classes first (average linkage on 1 − similarity), (K, K) → K − 1 joins.

    A class whose similarity is no number is taken to be unlike all others.
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
    """Of G gates, two by two: not numbers for a gate that does not tell classes apart.

    Attributes:
        cka: whether they set the same classes apart (G, G): linear CKA, 0 to 1.
        chance: the mean of that if the classes of one gate were shuffled (G, G). With few classes any two gates look
            rather alike.
    """

    cka: Floats
    chance: Floats


def gate_similarity(profiles: ClassProfiles) -> GateSimilarity:
    """Which gates treat the classes alike: linear CKA (see ``linear_cka``) of their mean patterns by class.

    Classes stand in for images. The Gram matrices of G gates over K classes are gone through some rows at a time, so
    that 100 gates over 1,000 classes take no more memory than the means.
    """
    there = profiles.counts > 0
    means = [gate.s().mean[there] for gate in profiles]
    centred = [mean - mean.mean(axis=0) for mean in means]
    joint = np.zeros((len(centred), len(centred)))
    for start in range(0, int(there.sum()), _ROWS_AT_ONCE):
        grams = np.stack([(one[start : start + _ROWS_AT_ONCE] @ one.T).ravel() for one in centred])
        joint += grams @ grams.T
    lengths = np.sqrt(np.diag(joint))
    lengths[lengths <= _TINY] = np.nan
    # The mean of tr(A P B Pᵀ) over all orders P of the classes, for centred A and B, is tr(A) tr(B) / (K − 1).
    traces = np.array([np.square(one).sum() for one in centred]) / lengths
    return GateSimilarity(
        np.clip(joint / np.outer(lengths, lengths), 0, 1), np.outer(traces, traces) / max(1, int(there.sum()) - 1)
    )


_TINY = 1e-9  # far below a step of s
_MOST_ORDERED = 300
_ROWS_AT_ONCE = 32
