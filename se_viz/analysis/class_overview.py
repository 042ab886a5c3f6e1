"""All classes of a gate: their patterns, their similarity, and the ones to draw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from se_viz.analysis.class_similarity import class_similarity, most_dissimilar, tree
from se_viz.analysis.resemblance import ClassPatterns
from se_viz.profiles.class_profiles import GateProfile
from se_viz.types import AnyFloats, Float32s, Floats, Positions

MOST_ROWS = 60  # a heatmap of 1,000 rows cannot be read


@dataclass(frozen=True, slots=True)
class Overview:
    """One gate over the K classes of class profiles, of which K′ have images.

    Attributes:
        nonempty: the classes with images (K′,).
        patterns: the difference of each of those from the mean; ``patterns.common`` is the mean over them.
        similarity: similarity of the patterns of two classes, float32 (K, K), see ``class_similarity``.
        most_dissimilar: the two classes that are least alike, see ``class_similarity.most_dissimilar``.
    """

    nonempty: Positions
    patterns: ClassPatterns
    similarity: Float32s
    most_dissimilar: tuple[int, int] | None

    @classmethod
    def of(cls, gate: GateProfile) -> "Overview":
        """Compute the overview of a gate; 1,000 classes take a second."""
        moments = gate.s()
        similarity = class_similarity(moments.mean).astype(np.float32)
        nonempty = np.flatnonzero(moments.count)
        apart = most_dissimilar(similarity, moments.count)
        return cls(nonempty, ClassPatterns.of(moments.mean[nonempty]), similarity, apart)

    def rows_to_draw(self, chosen: Sequence[int]) -> Positions:
        """Return the classes to draw (R,), ascending: all with images, or the 60 most similar to a chosen one."""
        if len(self.nonempty) <= MOST_ROWS:
            return self.nonempty
        listed = list(chosen)
        closest = np.nan_to_num(self.similarity[listed], nan=-1).max(axis=0)
        closest[listed] = 2  # above any similarity, so that the chosen ones are among them
        return np.sort(self.nonempty[np.argsort(-closest[self.nonempty], kind="stable")[:MOST_ROWS]])

    def most_similar_class(self, mean: AnyFloats) -> tuple[int, float] | None:
        """Return the class that the mean s of a group (C,) resembles most, and its resemblance (see ``ClassPatterns``).

        None if no class differs from the mean over classes, or if the group does not.
        """
        alike = self.patterns.resemblance(mean)
        if not np.isfinite(alike).any():
            return None
        best = int(np.nanargmax(alike))
        return int(self.nonempty[best]), float(alike[best])


@dataclass(frozen=True, slots=True)
class Kin:
    """R classes of one gate, as a tree and as the rows of a heatmap.

    Attributes:
        rows: the classes (R,).
        links: the links of their tree, see ``class_similarity.Tree``.
        ordered: the classes (R,) in an order that puts similar ones next to each other.
        means: mean s (R, C) of ``ordered``; the channel with the highest mean comes first.
    """

    rows: Positions
    links: Floats
    ordered: Positions
    means: Floats


def kin(gate: GateProfile, overview: Overview, chosen: Sequence[int]) -> Kin | None:
    """Return the tree and the heatmap rows of the classes to draw; None if there are fewer than two classes.

    Args:
        gate: a gate of class profiles.
        overview: the overview of that gate.
        chosen: one or more classes with images, which are always drawn.
    """
    rows = overview.rows_to_draw(chosen)
    if len(rows) < 2:
        return None
    grown = tree(overview.similarity[np.ix_(rows, rows)].astype(np.float64))
    means = np.stack([gate.s(int(row)).mean for row in rows])
    channels = np.argsort(-means.mean(axis=0), kind="stable")
    return Kin(rows, grown.links, rows[grown.order], means[np.ix_(grown.order, channels)])
