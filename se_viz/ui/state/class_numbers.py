"""The numbers of class profiles, which reruns and sessions share."""

import streamlit as st

from se_viz.analysis.by_depth import Depth
from se_viz.analysis.class_overview import Overview
from se_viz.analysis.class_separation import ClassSeparation
from se_viz.analysis.class_similarity import GateSimilarity
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.class_numbers import ClassNumbers


class SharedNumbers(ClassNumbers):
    """Numbers that are computed once for all sessions, and again when the file changes; not to be changed."""

    def __init__(self, profiles: ClassProfiles) -> None:
        super().__init__(profiles)
        self._key = str(profiles.path), profiles.path.stat().st_mtime

    def depths(self) -> tuple[Depth, ...]:
        """The numbers of every gate, in execution order."""
        return _depths(*self._key, self.profiles)

    def similarity(self) -> GateSimilarity:
        """Which gates set classes apart alike."""
        return _similarity(*self._key, self.profiles)

    def limits(self) -> tuple[str, ...]:
        """Sentences on what the profiles cannot say, or say only roughly."""
        return _limits(*self._key, self.profiles)

    def overview(self, gate: str) -> Overview:
        """All classes of a gate at once."""
        return _overview(*self._key, gate, self.profiles)

    def separation(self, gate: str, pair: tuple[str, str]) -> ClassSeparation:
        """How far apart two classes are in each channel of a gate."""
        return _separation(*self._key, gate, pair, self.profiles)


@st.cache_resource(max_entries=16, show_spinner="Going through all classes of all gates …")
def _depths(path: str, changed: float, _profiles: ClassProfiles) -> tuple[Depth, ...]:
    del path, changed
    return ClassNumbers(_profiles).depths()


@st.cache_resource(max_entries=16, show_spinner="Comparing the gates …")
def _similarity(path: str, changed: float, _profiles: ClassProfiles) -> GateSimilarity:
    del path, changed
    return ClassNumbers(_profiles).similarity()


@st.cache_resource(max_entries=16, show_spinner=False)
def _limits(path: str, changed: float, _profiles: ClassProfiles) -> tuple[str, ...]:
    del path, changed
    return ClassNumbers(_profiles).limits()


# About 130 MB for all gates of SE-ResNet-50 over 1,000 classes.
@st.cache_resource(max_entries=64, show_spinner="Comparing the classes …")
def _overview(path: str, changed: float, gate: str, _profiles: ClassProfiles) -> Overview:
    del path, changed
    return ClassNumbers(_profiles).overview(gate)


@st.cache_resource(max_entries=64, show_spinner=False)
def _separation(
    path: str, changed: float, gate: str, pair: tuple[str, str], _profiles: ClassProfiles
) -> ClassSeparation:
    del path, changed
    return ClassNumbers(_profiles).separation(gate, pair)
