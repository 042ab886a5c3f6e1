"""The numbers of a report on classes, each computed once."""

from functools import cache, lru_cache

from se_viz.analysis.by_depth import Depth, by_depth
from se_viz.analysis.class_overview import Overview
from se_viz.analysis.class_separation import ClassSeparation, difference
from se_viz.analysis.class_similarity import GateSimilarity, gate_similarity
from se_viz.analysis.detectable import few_images
from se_viz.analysis.profile_limits import limits
from se_viz.profiles.class_profiles import ClassProfiles

_KEPT = 8  # overviews; each takes 4 MB for 1,000 classes


class ClassNumbers:
    """The numbers of class profiles, each computed at its first use and kept.

    The page has a subclass, whose numbers are shared by sessions.
    """

    def __init__(self, profiles: ClassProfiles) -> None:
        self.profiles = profiles
        self._depths = cache(lambda: by_depth(profiles))
        self._similarity = cache(lambda: gate_similarity(profiles))
        self._limits = cache(lambda: limits(profiles))
        self._few = cache(lambda: few_images(profiles))
        self._overview = lru_cache(_KEPT)(lambda gate: Overview.of(profiles[gate]))
        self._separation = lru_cache(_KEPT)(lambda gate, pair: difference(profiles[gate], *pair))

    def depths(self) -> tuple[Depth, ...]:
        """Return the numbers of every gate, in execution order."""
        return self._depths()

    def similarity(self) -> GateSimilarity:
        """Return the similarity of the gates over the classes."""
        return self._similarity()

    def limits(self) -> tuple[str, ...]:
        """Return the sentences on the limits of the profiles."""
        return self._limits()

    def few_images(self) -> str:
        """Return the sentence on what few images per class cannot show, or ""."""
        return self._few()

    def overview(self, gate: str) -> Overview:
        """Return the overview of all classes of a gate."""
        return self._overview(gate)

    def separation(self, gate: str, pair: tuple[str, str]) -> ClassSeparation:
        """Return the separation of two classes by each channel of a gate."""
        return self._separation(gate, pair)
