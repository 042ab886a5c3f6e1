"""The weights of one image as bars side by side, which a heatmap of one row would show as a stripe."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from se_viz.figures.not_finite import drawable, texts
from se_viz.figures.palette import ACCENT, NEGATIVE, POSITIVE
from se_viz.types import AnyFloats

HEIGHT = 84  # of the bars in pixels


def weight_bars(
    layout: dict[str, Any],
    values: AnyFloats,
    channels: npt.NDArray[np.str_],
    ends: tuple[float, float],
    template: str,
    details: Sequence[AnyFloats],
) -> go.Figure:
    """Draw numbers (C,) as bars without gaps, one outline for all of them: a bar each would be slow to draw.

    Args:
        layout: the layout of the chart.
        values: the numbers, in the order of ``channels``.
        channels: the channels' numbers, from left to right.
        ends: the ends of the vertical axis.
        template: what the pointer shows; ``%{y}`` is the number, ``%{customdata[0]}`` the first of the details.
        details: further numbers (C,) in the same order.
    """
    shown, (low, high) = drawable(values), ends
    layout["yaxis"] |= {"range": [low, high], "nticks": 4}
    layout["hovermode"] = "x"
    parts = [(shown.clip(min=0), POSITIVE), (shown.clip(max=0), NEGATIVE)] if low < 0 else [(shown, ACCENT)]
    bars = {"x": channels, "mode": "lines", "showlegend": False}
    traces = [
        go.Scatter(
            y=part,
            fill="tozeroy",
            fillcolor=colour,
            line={"color": colour, "width": 0.5, "shape": "hvh"},
            hoverinfo="skip",
            **bars,
        )
        for part, colour in parts
    ]
    pointed = go.Scatter(
        y=shown,
        line={"width": 0},
        customdata=np.stack([texts(detail) for detail in details], axis=1) if details else None,
        yhoverformat=".3f",
        hovertemplate=template,
        **bars,
    )
    return go.Figure([*traces, pointed], layout)
