"""The line and the band of the paper's Figure 7: where s of one class lies, channel by channel."""

from typing import Literal, TypeAlias

from se_viz.analysis.histogram import quantiles
from se_viz.profiles.class_profiles import GateProfile
from se_viz.types import Floats

Band: TypeAlias = Literal["mean ± deviation", "median and quartiles"]


def band(gate: GateProfile, name: str, kind: Band) -> tuple[Floats, tuple[Floats, Floats]]:
    """The line and the two ends of the band over the images of a class, (C,) each.

    Args:
        gate: a gate of class profiles.
        name: of the class.
        kind: "mean ± deviation", as in the paper, or "median and quartiles", which say more of a skewed spread.
    """
    if kind == "mean ± deviation":
        moments = gate.s(name)
        return moments.mean, (moments.mean - moments.std, moments.mean + moments.std)
    low, centre, high = quantiles(gate.histogram(name), (0.25, 0.5, 0.75))
    return centre, (low, high)
