"""All classes of a gate at once: which there are, how alike they are, and which of them a person can look at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from se_viz.analysis.class_similarity import class_similarity, most_dissimilar, tree
from se_viz.analysis.resemblance import Patterns
from se_viz.profiles.class_profiles import GateProfile

MOST_ROWS = 60  # nobody reads a thousand


@dataclass(frozen=True, slots=True)
class Overview:
    """One gate over the K classes of class profiles, of which K′ have images.

    Attributes:
        there: the classes with images (K′,).
        patterns: what sets each of those apart; ``patterns.common`` is the mean over them.
        similarity: of the patterns of two classes, float32 (K, K), see ``class_similarity``.
        most_dissimilar: the two classes that are least alike, see ``class_similarity.most_dissimilar``.
    """

    there: npt.NDArray[np.intp]
    patterns: Patterns
    similarity: npt.NDArray[np.float32]
    most_dissimilar: tuple[int, int] | None

    @classmethod
    def of(cls, gate: GateProfile) -> "Overview":
        """Of a gate; 1,000 classes take a second."""
        moments, similarity = gate.s(), class_similarity(gate).astype(np.float32)
        there = np.flatnonzero(moments.count)
        apart = most_dissimilar(similarity, moments.count)
        return cls(there, Patterns.of(moments.mean[there]), similarity, apart)

    def rows_to_draw(self, chosen: Sequence[int]) -> npt.NDArray[np.intp]:
        """The classes to draw: all with images, or of many the chosen and those most like one of them, ascending."""
        if len(self.there) <= MOST_ROWS:
            return self.there
        listed = list(chosen)
        near = np.nan_to_num(self.similarity[listed], nan=-1).max(axis=0)
        near[listed] = 2
        return np.sort(self.there[np.argsort(-near[self.there], kind="stable")[:MOST_ROWS]])

    def most_similar_class(self, own: npt.NDArray[np.floating]) -> tuple[int, float] | None:
        """The class whose pattern the mean s of a group (C,) resembles most, and how much, see ``resemblance``.

        None where nothing sets a class, or the group, apart.
        """
        alike = self.patterns.resemblance(own)
        if not np.isfinite(alike).any():
            return None
        best = int(np.nanargmax(alike))
        return int(self.there[best]), float(alike[best])


@dataclass(frozen=True, slots=True)
class Kin:
    """The classes to draw of one gate, R of them, as a tree and as rows of a heatmap.

    Attributes:
        rows: the classes (R,).
        links: of their tree, see ``kinship.Tree``.
        ordered: the classes (R,) such that those that are joined early stand together.
        means: mean s (R, C) of ``ordered``, the channel with the highest first.
    """

    rows: npt.NDArray[np.intp]
    links: npt.NDArray[np.float64]
    ordered: npt.NDArray[np.intp]
    means: npt.NDArray[np.float64]


def kin(gate: GateProfile, overview: Overview, chosen: Sequence[int]) -> Kin | None:
    """How the classes to draw are related in a gate; None where there are no two.

    Args:
        gate: a gate of class profiles.
        overview: of that gate.
        chosen: classes that are among them in any case, one or more, with images.
    """
    rows = overview.rows_to_draw(chosen)
    if len(rows) < 2:
        return None
    grown = tree(overview.similarity[np.ix_(rows, rows)].astype(np.float64))
    means = np.stack([gate.s(int(row)).mean for row in rows])
    channels = np.argsort(-means.mean(axis=0), kind="stable")
    return Kin(rows, grown.links, rows[grown.order], means[np.ix_(grown.order, channels)])
