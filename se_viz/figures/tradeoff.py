"""Accuracy against what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame
from se_viz.figures.palette import ACCENT, MUTED


@dataclass(frozen=True, slots=True)
class Point:
    """One network.

    Attributes:
        label: its name on the chart.
        cost: of the unit on the axis.
        top1: accuracy, per cent.
        low, high: its 95 % interval, per cent; None where nobody says.
    """

    label: str
    cost: float
    top1: float
    low: float | None = None
    high: float | None = None


def accuracy_against_cost(
    name: str, title: str, cost: str, points: Sequence[Point], others: Sequence[Point] = (), *, ours: bool = True
) -> Chart:
    """A point for each network with its interval.

    Args:
        name: of the chart, for files.
        title: what it shows.
        cost: title of the axis, with the unit.
        points: networks, in the order of the list.
        others: other seeds of some of them, drawn small.
        ours: whether we measured them; the paper's figures are drawn in grey.
    """
    colour = ACCENT if ours else MUTED
    layout = frame(title, cost, "top-1 accuracy, %", 340)
    bars = None
    if all(point.low is not None for point in points):
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [(point.high or 0) - point.top1 for point in points],
            "arrayminus": [point.top1 - (point.low or 0) for point in points],
            "color": colour,
            "thickness": 1.5,
            "width": 4,
        }
    ranks = [sum(other.cost < point.cost for other in points) for point in points]
    traces = [
        go.Scatter(
            x=[point.cost for point in points],
            y=[point.top1 for point in points],
            text=[point.label for point in points],
            mode="markers+text",
            # Neighbours on the axis put their labels on different sides, which keeps them apart on a phone.
            textposition=["bottom right" if rank % 2 else "top right" for rank in ranks],
            cliponaxis=False,
            marker={"color": colour, "size": 9},
            error_y=bars,
            showlegend=False,
            hovertemplate=f"%{{text}}<br>%{{x:.3f}} {cost}<br>%{{y:.2f}} %<extra></extra>",
        )
    ]
    if others:
        traces.append(
            go.Scatter(
                x=[point.cost for point in others],
                y=[point.top1 for point in others],
                text=[point.label for point in others],
                mode="markers",
                marker={"color": MUTED, "size": 6, "symbol": "circle-open"},
                name="other seeds",
                hovertemplate="%{text}<br>%{y:.2f} %<extra></extra>",
            )
        )
    # Room at the right for the label of the last point.
    costs = [point.cost for point in (*points, *others)]
    spread = (max(costs) - min(costs)) or max(costs)
    layout["xaxis"]["range"] = [min(costs) - 0.06 * spread, max(costs) + 0.22 * spread]
    figure = go.Figure(traces, layout)
    listed = "; ".join(f"{point.label}: {point.cost:.2f}, {point.top1:.1f} %" for point in points)
    return Chart(
        name=name,
        figure=figure,
        alt=f"{title}. {cost} and top-1 accuracy of {listed}.",
        how_to_read=(
            "Each point is a network: to the right those that cost more, up those that are right more often. "
            + (
                "The bars are 95 % intervals from the number of validation images: where they overlap widely, do not "
                "trust the order of the points."
                if bars
                else "The source gives no intervals."
            )
        ),
    )
