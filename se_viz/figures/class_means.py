"""The mean of s of one channel in each class, sorted."""

from collections.abc import Sequence

import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.not_finite import number
from se_viz.figures.palette import ACCENT, MUTED
from se_viz.types import AnyFloats


def class_means(
    gate: str,
    channel: int,
    names: Sequence[str],
    means: AnyFloats,
    sds: AnyFloats,
    overall: float,
    span: tuple[float, float],
) -> Chart:
    """Draw a bar for each class, with ± SD over its images, and a line at the mean over all classes.

    Args:
        gate: name of the gate.
        channel: number of the channel.
        names: names of K classes, in the order of the bars.
        means, sds: mean and standard deviation of s over the images of each class (K,).
        overall: the mean over all classes.
        span: the range of s that the gate function can reach.
    """
    layout = frame(f"{gate}, channel {channel}: mean of s by class", "mean of s, ± SD", "class", 90 + 20 * len(names))
    rows = [label(name) for name in names]
    layout["yaxis"] |= {
        "type": "category",
        "autorange": "reversed",
        "tickvals": list(range(len(rows))),
        "ticktext": rows,
    }
    layout["xaxis"]["range"] = list(span)
    layout["shapes"] = [
        {
            **{"type": "line", "xref": "x", "yref": "paper", "x0": overall, "x1": overall, "y0": 0, "y1": 1},
            "line": {"color": MUTED, "dash": "dot"},
        }
    ]
    bar = go.Bar(
        x=means,
        y=list(range(len(rows))),
        orientation="h",
        error_x={"type": "data", "array": sds, "color": MUTED, "thickness": 1, "width": 3},
        customdata=rows,
        marker={"color": ACCENT},
        xhoverformat=".3f",
        hovertemplate="%{customdata}: %{x}<extra></extra>",
    )
    listed = ", ".join(f"{name} {number(mean)}" for name, mean in zip(names, means, strict=True))
    return Chart(
        f"class_means_{gate}_{channel}",
        go.Figure(bar, layout),
        alt=f"Mean of s of channel {channel} of {gate} by class, over all classes {number(overall)}: {listed}.",
        how_to_read=(
            "Each bar is the mean weight of this channel over the images of a class, and the thin line is ± SD. The "
            "dotted line is the mean over all classes. If a bar is far from it, the weight distinguishes this class."
        ),
    )
