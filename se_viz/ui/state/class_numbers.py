"""The numbers of class profiles, which reruns and sessions share."""

from operator import attrgetter
from typing import Any

import streamlit as st

from se_viz.analysis.by_depth import Depth
from se_viz.analysis.class_overview import Overview
from se_viz.analysis.class_separation import ClassSeparation
from se_viz.analysis.class_similarity import GateSimilarity
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.class_numbers import ClassNumbers

_HASH: dict[str | type[Any], Any] = {f"{__name__}.SharedNumbers": attrgetter("key")}


class SharedNumbers(ClassNumbers):
    """Numbers that are computed once for all sessions, and again when the file changes; read-only."""

    def __init__(self, profiles: ClassProfiles) -> None:
        super().__init__(profiles)
        # Read once, when the file is opened: results never get the key of a file that was written later.
        self.key = str(profiles.path), profiles.path.stat().st_mtime

    @st.cache_resource(max_entries=16, show_spinner="Reading all classes of all gates …", hash_funcs=_HASH)
    def depths(self) -> tuple[Depth, ...]:
        """Return the numbers of every gate, in execution order."""
        return super().depths()

    @st.cache_resource(max_entries=16, show_spinner="Comparing the gates …", hash_funcs=_HASH)
    def similarity(self) -> GateSimilarity:
        """Return how similarly the gates separate the classes."""
        return super().similarity()

    @st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=_HASH)
    def limits(self) -> tuple[str, ...]:
        """Return sentences on what the profiles cannot say, or say only roughly."""
        return super().limits()

    @st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=_HASH)
    def few_images(self) -> str:
        """Return the sentence on what few images per class cannot show, or ""."""
        return super().few_images()

    # About 130 MB for all gates of SE-ResNet-50 over 1,000 classes.
    @st.cache_resource(max_entries=64, show_spinner="Comparing the classes …", hash_funcs=_HASH)
    def overview(self, gate: str) -> Overview:
        """Return all classes of a gate at once."""
        return super().overview(gate)

    @st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_HASH)
    def separation(self, gate: str, pair: tuple[str, str]) -> ClassSeparation:
        """Return the separation of two classes in each channel of a gate."""
        return super().separation(gate, pair)
