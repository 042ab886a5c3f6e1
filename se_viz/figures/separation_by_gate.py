"""Class profiles by depth: class specificity and saturation of each gate."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from se_viz.analysis.by_depth import Depth
from se_viz.analysis.health import CLOSE
from se_viz.figures.by_gate import by_gate
from se_viz.figures.chart import Chart, frame
from se_viz.figures.class_profiles import faint
from se_viz.figures.palette import ACCENT, MUTED


def specificity_by_gate(depths: Sequence[Depth]) -> Chart:
    """Draw η² of every gate of ``by_depth``: the quartiles over its channels, and η² by chance."""
    layout = frame("Class specificity by depth", "gate, in the order of execution", "η², share of variance", 300)
    layout["xaxis"] |= {"type": "category"}
    layout["yaxis"]["range"] = [0, 1]
    layout["margin"]["t"] = 84  # the legend has several rows on a phone
    names = [depth.gate for depth in depths]
    quantiles = np.array([depth.quartiles for depth in depths]).T
    moving = np.flatnonzero(np.isfinite(quantiles).all(axis=0))  # a gate whose s is constant has no η²
    banded = [*moving, *reversed(moving)]
    traces = [
        go.Scatter(
            x=[names[index] for index in banded],
            y=np.concatenate([quantiles[2, moving], quantiles[0, moving[::-1]]]),
            mode="lines",
            fill="toself",
            fillcolor=faint(ACCENT),
            line={"width": 0},
            hoverinfo="skip",
            name="interquartile range",
        ),
        go.Scatter(
            x=names,
            y=quantiles[1],
            customdata=quantiles[[0, 2]].T,
            mode="lines+markers",
            line={"color": ACCENT},
            name="median channel",
            yhoverformat=".2f",
            hovertemplate="%{x}: %{y}<br>quartiles %{customdata[0]:.2f} to %{customdata[1]:.2f}<extra></extra>",
        ),
        go.Scatter(
            x=names,
            y=[depth.expected_eta2 for depth in depths],
            mode="lines",
            line={"color": MUTED, "dash": "dot"},
            name="by chance",
            yhoverformat=".4f",
            hovertemplate="by chance, mean: %{y}<extra></extra>",
        ),
        go.Scatter(
            x=names,
            y=[depth.limit for depth in depths],
            mode="lines",
            fill="tozeroy",
            fillcolor=faint(MUTED),
            line={"width": 0},
            showlegend=False,
            yhoverformat=".4f",
            hovertemplate="by chance, 95th percentile: %{y}<extra></extra>",
        ),
    ]
    listed = ", ".join(f"{gate} {value:.2f}" for gate, value in zip(names, quantiles[1], strict=True))
    return Chart(
        name="eta_by_gate",
        figure=go.Figure(traces, layout),
        alt=f"Share of the variance of s between classes, median channel by gate: {listed}.",
        how_to_read=(
            "η² is the share of a channel's variance that the class explains: 0 if all classes get the same weights, 1 "
            "if all images of a class get the same weight. The line is the median channel of the gate, the band is the "
            "interquartile range over its channels. Random labels explain some variance, too: the dotted line is their "
            "mean, the top of the grey area their 95th percentile. Values above the grey area are statistically "
            "significant."
        ),
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
