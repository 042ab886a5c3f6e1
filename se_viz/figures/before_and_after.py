"""The predictions of a network for one image, without and with edits of s."""

from collections.abc import Sequence

import plotly.graph_objects as go

from se_viz.analysis.percent import reach
from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.not_finite import drawable, number
from se_viz.figures.palette import ACCENT, MUTED
from se_viz.types import Floats


def before_and_after(names: Sequence[str], before: Floats, after: Floats, unit: str) -> Chart:
    """Draw two bars for each output, before the edit and with it.

    Args:
        names: names of the outputs to draw, the first at the top.
        before: their probabilities (0–1) or numbers.
        after: the same with the edit.
        unit: "probability, %" or "output".
    """
    factor, form = (100, ".1f") if unit.endswith("%") else (1, ".3g")
    layout = frame("Predictions before and after", unit, "", 130 + 46 * len(names))
    layout["margin"]["t"] = 76
    layout["barmode"] = "group"
    layout["bargap"] = 0.25
    places = list(range(len(names)))  # shortened names may be equal
    layout["yaxis"] |= {"tickvals": places, "ticktext": [label(name, 22) for name in names], "autorange": "reversed"}
    if factor == 100:
        layout["xaxis"]["range"] = [0, 1.12 * reach([*before, *after])]
    traces = [
        go.Bar(
            y=places,
            x=drawable(factor * values),
            orientation="h",
            name=said,
            marker={"color": colour},
            text=[number(factor * value, form) for value in values],
            textposition="outside",
            cliponaxis=False,
            customdata=[label(name, 60) for name in names],
            xhoverformat=".2f",
            hovertemplate=f"%{{customdata}}, {said}: %{{x}}<extra></extra>",
        )
        for said, values, colour in (("as it is", before, MUTED), ("with the edit", after, ACCENT))
    ]
    pairs = ", ".join(
        f"{name} {number(factor * one, form)} and {number(factor * other, form)}"
        for name, one, other in zip(names, before, after, strict=True)
    )
    return Chart(
        name="before_and_after",
        figure=go.Figure(traces, layout),
        alt=f"{unit} without and with the edit: {pairs}.",
        how_to_read="Grey: the network without edits. Coloured: the same image with the edited weights; all else is "
        "equal.",
    )
