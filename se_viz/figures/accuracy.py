"""Accuracy against what it costs, or by what was chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame
from se_viz.figures.palette import ACCENT, MUTED


@dataclass(frozen=True, slots=True)
class Point:
    """One network.

    Attributes:
        label: its name on the chart, its place on the axis where there is no cost.
        cost: of the unit on the axis; all have one, or none has.
        top1: accuracy, per cent.
        low, high: its 95 % interval, per cent; None where nobody says.
    """

    label: str
    cost: float | None
    top1: float
    low: float | None = None
    high: float | None = None


def accuracy_against(
    name: str, title: str, across: str, points: Sequence[Point], others: Sequence[Point] = (), *, ours: bool = True
) -> Chart:
    """A point for each network with its interval.

    Args:
        name: of the chart, for files.
        title: what it shows.
        across: title of the horizontal axis: the cost with its unit, or what was chosen.
        points: networks, in the order of the list.
        others: other seeds of some of them, drawn small.
        ours: whether we measured them; the paper's figures are drawn in grey.
    """
    colour = ACCENT if ours else MUTED
    costs = [point.cost for point in (*points, *others) if point.cost is not None]
    layout = frame(title, across, "top-1 accuracy, %", 340)
    if costs:
        # Room at the right for the label of the last point.
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
            # Neighbours on the axis put their labels on different sides, which keeps them apart on a phone.
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
        layout["margin"]["t"] = 68  # the legend goes below the title, which fills the width of a phone
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
            "Each point is a network: up those that are right more often"
            + (", to the right those that cost more. " if costs else ". ")
            + (
                "The bars are 95 % intervals from the number of validation images: where they overlap widely, do not "
                "trust the order of the points. "
                if bars
                else "The source gives no intervals. "
            )
            + ("Rings are the same networks trained again from another seed." if others else "")
        ),
    )


def _x(point: Point) -> float | str:
    return point.label if point.cost is None else point.cost
