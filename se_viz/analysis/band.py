"""The line and the band of the paper's Figure 7: s of one class in each channel."""

from typing import Literal, TypeAlias

from se_viz.analysis.histogram import quantiles
from se_viz.profiles.class_profiles import GateProfile
from se_viz.types import Floats

Band: TypeAlias = Literal["mean ± SD", "median and quartiles"]


def band(gate: GateProfile, name: str, kind: Band) -> tuple[Floats, tuple[Floats, Floats]]:
    """Return the line and the two ends of the band over the images of a class, (C,) each.

    Args:
        gate: a gate of class profiles.
        name: the class.
        kind: "mean ± SD" (standard deviation), as in the paper, or "median and quartiles", which describe a skewed
            distribution better.
    """
    if kind == "median and quartiles":
        low, centre, high = quantiles(gate.histogram(name), (0.25, 0.5, 0.75))
        return centre, (low, high)
    moments = gate.s(name)
    return moments.mean, (moments.mean - moments.std, moments.mean + moments.std)
