"""Accuracy by cost, or by design choice."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame
from se_viz.figures.palette import ACCENT, MUTED


@dataclass(frozen=True, slots=True)
class Point:
    """One network.

    Attributes:
        label: its name on the chart; without a cost also its position on the axis.
        cost: cost in the unit of the axis; either all points have one or no point has.
        top1: top-1 accuracy, per cent.
        low, high: its 95 % interval, per cent; None if the source gives no interval.
    """

    label: str
    cost: float | None
    top1: float
    low: float | None = None
    high: float | None = None


def accuracy_against(
    name: str, title: str, across: str, points: Sequence[Point], others: Sequence[Point] = (), *, ours: bool = True
) -> Chart:
    """Draw a point with its interval for each network.

    Args:
        name: name of the chart, for files.
        title: title of the chart.
        across: title of the horizontal axis: the cost with its unit, or the design choice.
        points: networks, in the order of the axis.
        others: other seeds of some networks, drawn small.
        ours: True for numbers measured here; numbers of the paper are drawn in grey.
    """
    colour = ACCENT if ours else MUTED
    costs = [point.cost for point in (*points, *others) if point.cost is not None]
    layout = frame(title, across, "top-1 accuracy, %", 340)
    if costs:
        # Leave room at the right for the label of the last point.
        spread = (max(costs) - min(costs)) or max(costs)
        layout["xaxis"]["range"] = [min(costs) - 0.06 * spread, max(costs) + 0.22 * spread]
    else:
        layout["xaxis"] |= {"type": "category", "range": [-0.5, len(points) - 0.5]}
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
    ranks = [sum((other.cost or 0) < (point.cost or 0) for other in points) for point in points]
    traces = [
        go.Scatter(
            x=[_x(point) for point in points],
            y=[point.top1 for point in points],
            text=[point.label for point in points],
            mode="markers+text" if costs else "markers",
            # Labels of neighbours on the axis are on different sides, so that they do not overlap on a phone.
            textposition=["bottom right" if rank % 2 else "top right" for rank in ranks],
            cliponaxis=False,
            marker={"color": colour, "size": 9},
            error_y=bars,
            name="the shipped networks",
            showlegend=bool(others),
            hovertemplate=f"%{{text}}<br>{f'%{{x:.3f}} {across}<br>' if costs else ''}%{{y:.2f}} %<extra></extra>",
        )
    ]
    if others:
        layout["margin"]["t"] = 68  # on a phone the title fills the width, and the legend is below it
        traces.append(
            go.Scatter(
                x=[_x(point) for point in others],
                y=[point.top1 for point in others],
                text=[point.label for point in others],
                mode="markers",
                marker={"color": MUTED, "size": 7, "symbol": "circle-open", "line": {"width": 1.5}},
                name="other seeds",
                hovertemplate="%{text}, another seed<br>%{y:.2f} %<extra></extra>",
            )
        )
    listed = "; ".join(
        f"{point.label}: {'' if point.cost is None else f'{point.cost:.2f}, '}{point.top1:.1f} %" for point in points
    )
    return Chart(
        name=name,
        figure=go.Figure(traces, layout),
        alt=f"{title}. {across} and top-1 accuracy of {listed}.",
        how_to_read=(
            "Each point is a network: higher is more accurate"
            + (", further right is more expensive. " if costs else ". ")
            + (
                "The bars are 95 % intervals, given by the number of validation images. If they overlap widely, do not "
                "trust the order of the points. "
                if bars
                else "The source gives no intervals. "
            )
            + ("Rings are the same networks trained from another seed." if others else "")
        ),
    )


def _x(point: Point) -> float | str:
    return point.label if point.cost is None else point.cost
