"""What the Classes page asks of all classes of a gate at once, worked out once: 1,000 of them take a second."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from se_viz.atlas.store import Atlas, GateAtlas
from se_viz.study.kinship import class_similarity, farthest
from se_viz.study.resemblance import Patterns


@dataclass(frozen=True, slots=True)
class Overview:
    """One gate over the classes of an atlas, K of them, K′ with images.

    Attributes:
        there: the classes with images (K′,).
        patterns: what sets each of those apart; ``patterns.common`` is the mean over them.
        similarity: of the patterns of two classes, float32 (K, K), see ``class_similarity``.
        farthest: the two classes that are least alike, see ``kinship.farthest``.
    """

    there: npt.NDArray[np.intp]
    patterns: Patterns
    similarity: npt.NDArray[np.float32]
    farthest: tuple[int, int] | None


def overview(atlas: Atlas, gate: GateAtlas) -> Overview:
    """The overview of a gate, which is not to be changed."""
    return _overview(str(atlas.path), atlas.path.stat().st_mtime, gate.name, gate)


# About 130 MB for all gates of SE-ResNet-50 over 1,000 classes.
@st.cache_resource(max_entries=64, show_spinner="Comparing the classes …")
def _overview(path: str, changed: float, name: str, _gate: GateAtlas) -> Overview:
    del path, changed, name
    moments, similarity = _gate.s(), class_similarity(_gate).astype(np.float32)
    there = np.flatnonzero(moments.count)
    apart = farthest(similarity, moments.count)
    return Overview(there, Patterns.of(moments.mean[there]), similarity, apart)
