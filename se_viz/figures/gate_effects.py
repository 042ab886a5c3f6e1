"""Effects of whole gates on one output: its change, and its probability, with s of one gate at a time replaced."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from se_viz.analysis.percent import percent, reach
from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.not_finite import drawable
from se_viz.figures.palette import EDITS, MUTED
from se_viz.types import Floats

_SYMBOLS = {"1": "circle", "mean": "square", "other image": "diamond"}


def gate_changes(
    gates: Sequence[str], changes: Mapping[str, Floats], words: Mapping[str, str], target: str, unit: str, chosen: str
) -> Chart:
    """Draw the change of one output for each gate: a bar for each edit.

    Args:
        gates: names of the gates, in execution order.
        changes: edit → change of the output by gate (G,).
        words: edit → name for the legend.
        target: name of the output.
        unit: unit of the output, "logit" or "output".
        chosen: the gate whose channels are shown.
    """
    layout = _layout(gates, chosen, f"Effect of one gate on {label(target, 28)}", f"Δ {unit}")
    layout["barmode"] = "group"
    layout["bargap"] = 0.3
    layout["yaxis"]["zeroline"] = True
    layout["yaxis"]["zerolinecolor"] = MUTED
    traces = [
        go.Bar(
            x=list(gates),
            y=drawable(values),
            name=words[edit],
            marker={"color": EDITS[edit]},
            yhoverformat="+.3f",
            hovertemplate=f"%{{x}}, {label(words[edit], 40)}<br>Δ {unit} %{{y}}<extra></extra>",
        )
        for edit, values in changes.items()
    ]
    spans = "; ".join(f"{words[edit]} {_span(gates, values)}" for edit, values in changes.items())
    return Chart(
        name="gate_changes",
        figure=go.Figure(traces, layout),
        alt=f"Change of the {unit} of {target} when s of one gate is replaced. {spans}.",
        how_to_read=(
            f"In each group of bars, s of one gate is replaced, and the {unit} of {target} changes by the height of "
            "the bar. s := 1 switches the gate off. The mean keeps what the gate does to all images, and removes what "
            "it does to this one. A click on a gate shows its channels."
        ),
    )


def gate_probabilities(
    gates: Sequence[str],
    probabilities: Mapping[str, Floats],
    before: float,
    words: Mapping[str, str],
    target: str,
    chosen: str,
) -> Chart:
    """Draw the probability of one output for each gate: a point for each edit, and a line for the network as it is.

    Args:
        gates: names of the gates, in execution order.
        probabilities: edit → probability 0–1 by gate (G,).
        before: probability without edits.
        words: edit → name for the legend.
        target: name of the output.
        chosen: the gate whose channels are shown.
    """
    layout = _layout(
        gates, chosen, f"Probability of {label(target, 22)}, {percent(before)} without edits", "probability, %"
    )
    top = reach([before, *(value for values in probabilities.values() for value in values)])
    layout["yaxis"]["range"] = [-0.03 * top, 1.03 * top]
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 100 * before, "y1": 100 * before}
    layout["shapes"] = [*layout["shapes"], {**line, "line": {"color": MUTED, "width": 2, "dash": "dot"}}]
    traces = [
        go.Scatter(
            x=list(gates),
            y=100 * drawable(values),
            name=words[edit],
            mode="markers",
            marker={"color": EDITS[edit], "symbol": _SYMBOLS[edit], "size": 10},
            yhoverformat=".1f",
            hovertemplate=f"%{{x}}, {label(words[edit], 40)}<br>%{{y}}%<extra></extra>",
        )
        for edit, values in probabilities.items()
    ]
    spans = "; ".join(
        f"{words[edit]} {_span(gates, 100 * values, '.0f' if top > 20 else '.2g')}%"
        for edit, values in probabilities.items()
    )
    return Chart(
        name="gate_probabilities",
        figure=go.Figure(traces, layout),
        alt=f"Probability of {target}, {percent(before)} without edits, when s of one gate is replaced. {spans}.",
        how_to_read=(
            f"The dotted line is the probability of {target} without edits. Each point is the probability "
            "with s of one gate replaced. If a point is far from the line, but the prediction is the same, the "
            "gate changes how sure the network is, and not what it predicts."
        ),
    )


def _layout(gates: Sequence[str], chosen: str, title: str, y: str) -> dict:  # type: ignore[type-arg]
    layout = frame(title, "gate, in the order of execution", y, 340)
    layout["xaxis"] |= {"type": "category", "categoryorder": "array", "categoryarray": list(gates)}
    layout["margin"]["t"] = 92
    for axis in ("xaxis", "yaxis"):
        layout[axis]["fixedrange"] = True  # a click chooses a gate, and a swipe scrolls the page
    place = list(gates).index(chosen)
    layout["shapes"] = [
        {
            **{"type": "rect", "x0": place - 0.5, "x1": place + 0.5, "yref": "paper", "y0": 0, "y1": 1},
            **{"fillcolor": MUTED, "opacity": 0.14, "line": {"width": 0}, "layer": "below"},
        }
    ]
    return layout


def _span(gates: Sequence[str], values: Floats, form: str = "+.2f") -> str:
    """Return the range with its gates, "from -2.10 (SE_2_2) to +0.31 (SE_5_1)"."""
    if not np.isfinite(values).any():
        return "NaN or infinite"
    low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
    return f"from {values[low]:{form}} ({gates[low]}) to {values[high]:{form}} ({gates[high]})"
