"""Accuracy by r, by cost, or by design choice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame
from se_viz.figures.palette import ACCENT, MUTED, YOURS


@dataclass(frozen=True, slots=True)
class Point:
    """One training of a network.

    Attributes:
        label: its name on the chart.
        x: its position on the axis, in the unit of the axis.
        top1: top-1 accuracy, per cent.
        low, high: its 95% interval, per cent; None if the source gives no interval.
        detail: what else the pointer shows, for instance "seed 1".
        colour: its colour, if the points of a chart have several.
    """

    label: str
    x: float
    top1: float
    low: float | None = None
    high: float | None = None
    detail: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Axis:
    """The horizontal axis.

    Attributes:
        title: its title, with the unit.
        ticks: position → text of the marks; empty for an axis with marks at round numbers, whose points have labels.
        log: True for a logarithmic axis to the base of 2.
    """

    title: str
    ticks: Mapping[float, str]
    log: bool = False

    def beside(self, x: float, place: int, of: int) -> float:
        """Return a position to the right, so that dots of one network do not cover each other.

        Args:
            x: position of the network.
            place, of: which of how many dots. All of them lie nearer to their network than to the next one.
        """
        share = place / max(of, 3)
        if self.log:
            return float(x * 2 ** (0.1 + 0.42 * share))
        return x + 0.28 * share if self.ticks else x


def accuracy_against(
    name: str,
    title: str,
    axis: Axis,
    points: Sequence[Point],
    seeds: Sequence[Point] = (),
    yours: Sequence[Point] = (),
    *,
    ours: bool = True,
) -> Chart:
    """Draw a point with its interval for each network, and a dot for each of its other seeds.

    Args:
        name: name of the chart, for files.
        title: title of the chart.
        axis: the horizontal axis.
        points: networks, in the order of the axis.
        seeds: other seeds of some of them.
        yours: networks of the user.
        ours: True for numbers measured here; numbers of the paper are drawn in grey.
    """
    layout = frame(title, axis.title, "top-1 accuracy, %", 340)
    layout["xaxis"] |= _range(axis, [point.x for point in (*points, *yours)])
    layout["margin"]["t"] = 68 if seeds or yours else 44  # on a phone the title fills the width, the legend is below it
    colour = ACCENT if ours else MUTED
    named = bool(seeds or yours)
    traces = _networks("trained from seed 0", points, axis, colour, "circle", legend=named)
    if yours:
        traces += _networks("your networks", yours, axis, YOURS, "diamond", legend=True)
    if seeds:
        traces += _dots(seeds, axis)
    listed = "; ".join(
        f"{point.label}: {'' if axis.ticks else f'{point.x:.2f}, '}{point.top1:.1f}%" for point in (*points, *yours)
    )
    alt = f"{title}. {axis.title} and top-1 accuracy of {listed}."
    if seeds:
        alt += f" Other seeds: {'; '.join(f'{point.label}: {point.top1:.1f}%' for point in seeds)}."
    return Chart(name, go.Figure(traces, layout), alt, _how_to_read(axis, points, bool(seeds)))


def _range(axis: Axis, x: Sequence[float]) -> dict[str, Any]:
    if not axis.ticks:
        spread = (max(x) - min(x)) or max(x)
        # Leave room at the right for the label of the last point.
        return {"range": [min(x) - 0.06 * spread, max(x) + 0.22 * spread]}
    marks = {"tickvals": list(axis.ticks), "ticktext": list(axis.ticks.values())}
    if not axis.log:
        return {**marks, "range": [min(axis.ticks) - 0.5, max(axis.ticks) + 0.5]}
    ends = log2(min(axis.ticks)) - 0.5, log2(max(axis.ticks)) + 0.7
    return {**marks, "type": "log", "range": [end / log2(10) for end in ends]}


def _networks(
    name: str, points: Sequence[Point], axis: Axis, colour: str, symbol: str, *, legend: bool
) -> list[go.Scatter]:
    several = any(point.colour for point in points)
    bars = None
    if all(point.low is not None for point in points):
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [(point.high or 0) - point.top1 for point in points],
            "arrayminus": [point.top1 - (point.low or 0) for point in points],
            "color": MUTED if several else colour,
            "thickness": 1.5,
            "width": 4,
        }
    ranks = [sum(other.x < point.x for other in points) for point in points]
    drawn = go.Scatter(
        x=[point.x for point in points],
        y=[point.top1 for point in points],
        text=[point.label for point in points],
        mode="markers" if axis.ticks else "markers+text",
        # Labels of neighbours on the axis are on different sides, so that they do not overlap on a phone.
        textposition=["bottom right" if rank % 2 else "top right" for rank in ranks],
        cliponaxis=False,
        marker={"color": _colours(points, colour), "size": 9, "symbol": symbol},
        error_y=bars,
        name=name,
        showlegend=legend and not several,
        hovertemplate=f"%{{text}}<br>{'' if axis.ticks else f'%{{x:.3f}} {axis.title}<br>'}%{{y:.2f}}%<extra></extra>",
    )
    return [drawn, _named(name, symbol)] if legend and several else [drawn]


def _colours(points: Sequence[Point], colour: str) -> str | list[str]:
    if not any(point.colour for point in points):
        return colour
    return [point.colour or colour for point in points]


def _named(name: str, symbol: str) -> go.Scatter:
    """Return the name of a symbol for the legend, where the colours of the points mean something else."""
    return go.Scatter(
        x=[None], y=[None], mode="markers", marker={"color": MUTED, "size": 9, "symbol": symbol}, name=name
    )


def _dots(seeds: Sequence[Point], axis: Axis) -> list[go.Scatter]:
    """Return a dot for each further seed, beside the point of its network."""
    several = any(point.colour for point in seeds)
    dots_of, placed = Counter(point.label for point in seeds), Counter[str]()
    x = []
    for point in seeds:
        placed[point.label] += 1
        x.append(axis.beside(point.x, placed[point.label], dots_of[point.label]))
    symbol = "circle-open" if several else "circle"
    dots = go.Scatter(
        x=x,
        y=[point.top1 for point in seeds],
        text=[f"{point.label}, {point.detail}" for point in seeds],
        mode="markers",
        marker={"color": _colours(seeds, MUTED), "size": 7, "symbol": symbol},
        name="other seeds",
        showlegend=not several,
        hovertemplate="%{text}<br>%{y:.2f}%<extra></extra>",
    )
    return [dots, _named("other seeds", symbol)] if several else [dots]


def _how_to_read(axis: Axis, points: Sequence[Point], seeds: bool) -> str:
    said = "Each point is a network: higher is more accurate"
    said += ". " if axis.ticks else ", further right is more expensive. "
    if all(point.low is not None for point in points):
        said += (
            "The bars are 95% intervals of single accuracies, given by the number of validation images. Two networks "
            "are compared on the same images, which is more exact than these bars: see the table of comparisons. "
        )
    else:
        said += "The source gives no intervals. "
    if seeds:
        said += "Dots are the same networks trained from other seeds: they show how much two trainings differ. "
    if any(point.colour for point in points):
        said += "The colour is r, as in the other charts of the page; no SE is grey."
    return said.strip()
