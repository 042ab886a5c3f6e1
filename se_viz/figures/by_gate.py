"""A number for each gate, from the first to the last, of several networks."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame, room_for_legend
from se_viz.figures.palette import ACCENT, MUTED, NETWORKS

_SYMBOLS = ("square", "diamond", "triangle-up", "x", "star")


def by_gate(
    name: str,
    title: str,
    y: str,
    gates: Sequence[str],
    lines: Mapping[str, Mapping[str, float]],
    how_to_read: str,
    *,
    standard: str = "",
    context: Sequence[str] = (),
    top: float | None = None,
) -> Chart:
    """Draw a line for each network.

    Args:
        name: name of the chart, for files.
        title: title of the chart.
        y: title of the vertical axis, with the unit.
        gates: names, in the order of the axis.
        lines: network → gate → number; a missing gate is a gap in the line.
        how_to_read: explanation of the chart for a beginner.
        standard: the standard network, drawn in the accent colour.
        context: networks shown only for comparison, drawn in grey.
        top: upper end of the vertical axis, if it is fixed; the lower end is 0.
    """
    layout = frame(title, "gate, in the order of execution", y, 300)
    layout["xaxis"] |= {"type": "category", "categoryorder": "array", "categoryarray": list(gates)}
    layout["yaxis"] |= {"rangemode": "tozero"} if top is None else {"range": [0, top]}
    room_for_legend(layout, len(lines))
    coloured = [line for line in lines if line not in (standard, *context)]
    traces = []
    for line, values in lines.items():
        place = coloured.index(line) if line in coloured else -1
        colour = ACCENT if line == standard else MUTED if line in context else NETWORKS[place % len(NETWORKS)]
        traces.append(
            go.Scatter(
                x=list(gates),
                y=[values.get(gate) for gate in gates],
                name=line,
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": "dot" if line in context else "solid"},
                marker={"size": 7, "symbol": "circle" if place < 0 else _SYMBOLS[place % len(_SYMBOLS)]},
                hovertemplate=f"{line}<br>%{{x}}: %{{y:.3f}}<extra></extra>",
            )
        )
    spans = "; ".join(
        f"{line} from {min(values.values()):.3g} to {max(values.values()):.3g}"
        for line, values in lines.items()
        if values
    )
    return Chart(
        name=name, figure=go.Figure(traces, layout), alt=f"{title}, by gate. {spans}.", how_to_read=how_to_read
    )
