"""Insertion and deletion curves of orders of channels."""

import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.palette import ACCENT, MUTED, NETWORKS
from se_viz.interventions.faithfulness import Faithfulness, Order

_LINES: dict[Order, tuple[str, str, str]] = {
    "attribution": ("by attribution", ACCENT, "solid"),
    "s": ("by s", NETWORKS[0], "dash"),
    "|X̃ − U|": ("by |X̃ − U|", NETWORKS[1], "dashdot"),
    "random": ("random (control)", MUTED, "dot"),
}


def faithfulness_curves(measured: Faithfulness, target: str, unit: str, baseline: str) -> Chart:
    """Draw the output along deletion (left) and insertion (right), a line for each order of the channels.

    Args:
        measured: curves for one image.
        target: name of the output.
        unit: unit of the output, "logit" or "output".
        baseline: the baseline in words.
    """
    layout = frame(f"{measured.gate}: {unit} of {label(target, 24)} as channels change", "", unit, 340)
    layout["margin"]["t"] = 92
    # At the left, as the chart is wider than a phone, which shows its left part first.
    layout["legend"] |= {"x": 0, "xanchor": "left"}
    axis = layout["xaxis"]
    layout["xaxis"] = {**axis, "domain": [0, 0.47], "title": {"text": f"channels set to {baseline}"}}
    layout["xaxis2"] = {**axis, "domain": [0.53, 1], "title": {"text": f"channels set from {baseline} to s"}}
    layout["yaxis"]["anchor"] = "x"
    traces = []
    for order, curves in measured.curves.items():
        name, colour, dash = _LINES[order]
        for x, values in (("x", curves.deletion[0]), ("x2", curves.insertion[0])):
            traces.append(
                go.Scatter(
                    x=measured.channels,
                    y=values,
                    xaxis=x,
                    name=name,
                    legendgroup=name,
                    showlegend=x == "x",
                    mode="lines",
                    line={"color": colour, "width": 2, "dash": dash},
                    yhoverformat=".2f",
                    hovertemplate=f"{name}<br>%{{x}} channels: %{{y}}<extra></extra>",
                )
            )
    areas = ", ".join(
        f"{_LINES[order][0]} {measured.deletion_area(order)[0]:.2f} and {measured.insertion_area(order)[0]:.2f}"
        for order in measured.curves
    )
    return Chart(
        name=f"faithfulness_{measured.gate}",
        figure=go.Figure(traces, layout),
        alt=(
            f"Deletion and insertion curves of {measured.gate} for {target}; mean {unit} along the curve of deletion "
            f"and of insertion: {areas}."
        ),
        how_to_read=(
            f"Left: channels are set to {baseline} one after another; the faster the {unit} falls, the better the "
            "order finds the channels that support it. Right: all channels begin there and get their s back; the "
            "faster it rises, the better. The dotted line is the mean of random orders, the control: an order that is "
            "not better than it says nothing about importance."
        ),
    )
