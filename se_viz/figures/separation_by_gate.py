"""Class profiles by depth: class specificity and saturation of each gate."""

from collections.abc import Sequence

import numpy as np

from se_viz.analysis.by_depth import Depth
from se_viz.analysis.health import CLOSE
from se_viz.figures.by_gate import by_gate
from se_viz.figures.chart import Chart
from se_viz.figures.class_profiles import eta_by_gate


def specificity_by_gate(depths: Sequence[Depth]) -> Chart:
    """Draw η² of every gate of ``by_depth``, and η² by chance."""
    return eta_by_gate(
        [depth.gate for depth in depths],
        np.array([depth.quartiles for depth in depths]).T,
        np.array([depth.expected_eta2 for depth in depths]),
        np.array([depth.limit for depth in depths]),
    )


def saturation_by_gate(depths: Sequence[Depth]) -> Chart:
    """Draw the shares of s near 0 and near 1 of every gate of ``by_depth``."""
    ends = {f"within {CLOSE} of 0": "near_0", f"within {CLOSE} of 1": "near_1"}
    return by_gate(
        "class_saturation",
        "Saturation by depth",
        "s of all images and channels, %",
        [depth.gate for depth in depths],
        {name: {depth.gate: 100 * getattr(depth.saturation, end) for depth in depths} for name, end in ends.items()},
        "The shares of weights near 0, which suppress their channel, and near 1, which pass it unchanged. In the "
        "paper, nearly all weights of one gate of the last stage are near 1: that gate could be removed.",
        top=100,
    )
