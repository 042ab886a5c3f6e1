"""Changes of accuracy over a dataset when s is replaced, with intervals."""

from collections.abc import Sequence
from typing import TypeAlias

import plotly.graph_objects as go

from se_viz.demo.paired_comparison import points
from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.palette import EDITS, MUTED, NETWORKS
from se_viz.interventions.ablation_effects import AblationRow
from se_viz.wording import signed

_Line: TypeAlias = tuple[str, str, str]
"""Name, colour and symbol."""

# Shuffled weights are those of other images, and have their colour.
_LINES: dict[float | str, _Line] = {
    1.0: ("s := 1", EDITS["1"], "circle"),
    "mean": ("s := mean", EDITS["mean"], "square"),
    "shuffled": ("s shuffled", EDITS["other image"], "diamond"),
}
# Of other edits, in order.
_OTHERS = [(colour, symbol) for symbol in ("triangle-up", "x", "star") for colour in NETWORKS[3:]]


def accuracy_changes(name: str, title: str, x: str, rows: Sequence[AblationRow]) -> Chart:
    """Draw the change of accuracy for each place and edit, with its 95% interval.

    Args:
        name: name of the chart, for files.
        title: title of the chart.
        x: title of the horizontal axis.
        rows: rows of single gates, or of stages and all.
    """
    places = list(dict.fromkeys(row.where for row in rows))
    layout = frame(title, x, "Δ accuracy, points", 316)
    layout["margin"]["t"] = 92
    layout["xaxis"] |= {
        **{
            "tickvals": list(range(len(places))),
            "ticktext": [label(place, 24) for place in places],
            "ticklabeloverflow": "allow",
            "showgrid": False,
        },
        "range": [-0.6, len(places) - 0.4],
    }
    layout["yaxis"] |= {"zeroline": True, "zerolinecolor": MUTED}
    lines = _lines(rows)
    step = min(0.22, 0.8 / max(1, len(lines)))
    traces = []
    for index, (value, line) in enumerate(lines.items()):
        some = [row for row in rows if row.value == value]
        # Beside one another, so that no interval hides another.
        at = [places.index(row.where) + step * (index - (len(lines) - 1) / 2) for row in some]
        traces.append(_markers(some, at, line))
    listed = "; ".join(
        f"{row.name} {points(row.change.value)} ({points(row.change.low)} to {points(row.change.high)})" for row in rows
    )
    return Chart(
        name=name,
        figure=go.Figure(traces, layout),
        alt=f"{title}, in points with 95% intervals: {listed}.",
        how_to_read=(
            "A point is the change of accuracy over all images when s is replaced there, and the line its 95% "
            "interval (Newcombe, for pairs). s shuffled between the images is the control: the gate keeps its "
            "distribution of weights, and loses what it says about the single image. Where the interval includes 0, "
            "no effect was measured."
        ),
    )


def _lines(rows: Sequence[AblationRow]) -> dict[float | str, _Line]:
    """Return the line of each value of s in the rows; values that are no default have the further colours in turn."""
    values = dict.fromkeys(row.value for row in rows)
    lines = {value: line for value, line in _LINES.items() if value in values}
    for value in values:
        if value not in lines:
            said = signed(value, "g") if isinstance(value, float) else label(value, 24)
            lines[value] = f"s := {said}", *_OTHERS[(len(lines) - len(_LINES)) % len(_OTHERS)]
    return lines


def _markers(rows: Sequence[AblationRow], at: Sequence[float], line: _Line) -> go.Scatter:
    """Return the changes of accuracy by one value of s, with their intervals, at places of the horizontal axis."""
    said, colour, symbol = line
    return go.Scatter(
        x=at,
        y=[100 * row.change.value for row in rows],
        error_y={
            "symmetric": False,
            "array": [100 * (row.change.high - row.change.value) for row in rows],
            "arrayminus": [100 * (row.change.value - row.change.low) for row in rows],
            "thickness": 2,
            "width": 4,
        },
        customdata=[
            f"{label(row.where, 24)}: {row.lost} lost, {row.gained} gained<br>{said}: "
            f"{points(row.change.value, digits=2)} points"
            for row in rows
        ],
        mode="markers",
        name=said,
        marker={"color": colour, "symbol": symbol, "size": 9},
        hovertemplate="%{customdata}<extra></extra>",
    )
