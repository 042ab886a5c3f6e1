"""The numbers that a report on classes is composed of, each computed once."""

from functools import cache, lru_cache

from se_viz.analysis.by_depth import Depth, by_depth
from se_viz.analysis.class_overview import Overview
from se_viz.analysis.class_separation import ClassSeparation, difference
from se_viz.analysis.class_similarity import GateSimilarity, gate_similarity
from se_viz.analysis.profile_limits import limits
from se_viz.profiles.class_profiles import ClassProfiles

_KEPT = 8  # overviews, 4 MB each where there are 1,000 classes


class ClassNumbers:
    """What class profiles say, computed when it is first asked for, and kept.

    The page has its own, which sessions share.
    """

    def __init__(self, profiles: ClassProfiles) -> None:
        self.profiles = profiles
        self._depths = cache(lambda: by_depth(profiles))
        self._similarity = cache(lambda: gate_similarity(profiles))
        self._limits = cache(lambda: limits(profiles))
        self._overview = lru_cache(_KEPT)(lambda gate: Overview.of(profiles[gate]))
        self._separation = lru_cache(_KEPT)(lambda gate, pair: difference(profiles[gate], *pair))

    def depths(self) -> tuple[Depth, ...]:
        """The numbers of every gate, in execution order."""
        return self._depths()

    def similarity(self) -> GateSimilarity:
        """Which gates set classes apart alike."""
        return self._similarity()

    def limits(self) -> tuple[str, ...]:
        """Sentences on what the profiles cannot say, or say only roughly."""
        return self._limits()

    def overview(self, gate: str) -> Overview:
        """All classes of a gate at once."""
        return self._overview(gate)

    def separation(self, gate: str, pair: tuple[str, str]) -> ClassSeparation:
        """How far apart two classes are in each channel of a gate."""
        return self._separation(gate, pair)
