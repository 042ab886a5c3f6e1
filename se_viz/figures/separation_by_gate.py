"""An atlas gate by gate: where classes part, and where gates shut or open."""

from collections.abc import Sequence

import numpy as np

from se_viz.analysis.by_depth import Depth
from se_viz.analysis.health import CLOSE
from se_viz.figures.by_gate import by_gate
from se_viz.figures.chart import Chart
from se_viz.figures.class_profiles import eta_by_gate


def parting(depths: Sequence[Depth]) -> Chart:
    """η² of every gate of ``by_depth``, and what it would be by chance."""
    return eta_by_gate(
        [depth.gate for depth in depths],
        np.array([depth.quartiles for depth in depths]).T,
        np.array([depth.chance for depth in depths]),
        np.array([depth.limit for depth in depths]),
    )


def saturation_by_gate(depths: Sequence[Depth]) -> Chart:
    """How much of s is at its ends, of every gate of ``by_depth``."""
    ends = {f"within {CLOSE} of 0": "shut", f"within {CLOSE} of 1": "open"}
    return by_gate(
        "class_saturation",
        "Where gates shut or open",
        "s of all images and channels, %",
        [depth.gate for depth in depths],
        {name: {depth.gate: 100 * getattr(depth.saturation, end) for depth in depths} for name, end in ends.items()},
        "The share of weights that shut their channel, or leave it as it is. The paper finds a block of the last stage "
        "nearly all open: a gate that could be left out.",
        top=100,
    )
