"""A number for each gate, from the first to the last, of several networks."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from se_viz.analysis.relative_depth import relative_depths
from se_viz.figures.chart import Chart, frame, room_for_legend
from se_viz.figures.palette import ACCENT, MUTED, NETWORKS, YOURS

_OTHERS = [colour for colour in NETWORKS if colour != YOURS]
_SYMBOLS = ("square", "diamond", "triangle-up", "x", "star")
_RELATIVE = "relative depth (0 first gate, 1 last)"
_OTHER_GATES = (
    "These networks have different gates, which are placed by relative depth: 0 is the first gate of a network, 1 its "
    "last."
)
_BAND = "rgba(126,135,146,0.3)"


def by_gate(
    name: str,
    title: str,
    y: str,
    gates: Sequence[str],
    lines: Mapping[str, Mapping[str, float]],
    how_to_read: str,
    *,
    standard: str = "",
    band: tuple[str, Mapping[str, tuple[float, float]]] | None = None,
    top: float | None = None,
    own_gates: Mapping[str, Sequence[str]] | None = None,
    colours: Mapping[str, str] | None = None,
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
        band: name of a grey band, and gate → its lower and upper end: the numbers of several trainings of one network.
        top: upper end of the vertical axis, if it is fixed; the lower end is 0.
        own_gates: network → its gates, in the order of execution, for networks with other gates than ``gates``. The
            axis is then the relative depth of a gate in its network.
        colours: network → its colour; the others take those of networks in turn.
    """
    layout = frame(title, "gate, in the order of execution", y, 300)
    places: Mapping[str, object] = {gate: gate for gate in gates}
    if own_gates:
        places = relative_depths(gates)
        layout["xaxis"] |= {"title": {"text": _RELATIVE, "standoff": 6}, "range": [-0.03, 1.03]}
        how_to_read = f"{how_to_read} {_OTHER_GATES}"
    else:
        layout["xaxis"] |= {"type": "category", "categoryorder": "array", "categoryarray": list(gates)}
    layout["yaxis"] |= {"rangemode": "tozero"} if top is None else {"range": [0, top]}
    room_for_legend(layout, len(lines) + bool(band))
    coloured = [line for line in lines if line != standard]
    traces = _band(places, *band) if band else []
    for line, values in lines.items():
        own = (own_gates or {}).get(line)
        at = places if own is None else relative_depths(own)
        place = coloured.index(line) if line in coloured else -1
        traces.append(
            go.Scatter(
                x=list(at.values()),
                y=[values.get(gate) for gate in at],
                customdata=list(at),
                name=line,
                mode="lines+markers",
                line={"color": (colours or {}).get(line) or _colour(place), "width": 3 if line == standard else 2},
                marker={"size": 7, "symbol": "circle" if place < 0 else _SYMBOLS[place % len(_SYMBOLS)]},
                yhoverformat=".3f",
                hovertemplate=f"{line}<br>%{{customdata}}: %{{y}}<extra></extra>",
            )
        )
    spans = [
        f"{line} from {min(values.values()):.3g} to {max(values.values()):.3g}"
        for line, values in lines.items()
        if values
    ]
    if band:
        ends = [end for pair in band[1].values() for end in pair]
        spans += [f"{band[0]} from {min(ends):.3g} to {max(ends):.3g}"]
    return Chart(
        name=name,
        figure=go.Figure(traces, layout),
        alt=f"{title}, by gate. {'; '.join(spans)}.",
        how_to_read=how_to_read,
    )


def _colour(place: int) -> str:
    """Return the colour of the network with a place among the others; −1 is the standard one."""
    return ACCENT if place < 0 else _OTHERS[place % len(_OTHERS)]


def _band(places: Mapping[str, object], name: str, ends: Mapping[str, tuple[float, float]]) -> list[go.Scatter]:
    """Return the two edges of a band, with the area between them in grey; ``places`` are the gates on the axis."""
    covered = [gate for gate in places if gate in ends]
    edge = {"mode": "lines", "line": {"color": MUTED, "width": 1, "dash": "dot"}, "name": name, "legendgroup": name}
    return [
        go.Scatter(
            x=[places[gate] for gate in covered],
            customdata=covered,
            y=[ends[gate][side] for gate in covered],
            **edge,
            fill="tonexty" if side else None,
            fillcolor=_BAND if side else None,
            showlegend=bool(side),
            yhoverformat=".3f",
            hovertemplate=f"{name}<br>%{{customdata}}: %{{y}}<extra></extra>",
        )
        for side in (0, 1)
    ]
