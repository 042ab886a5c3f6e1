"""Comparison of two classes: the channels that separate them, and the distribution of s in each class."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.palette import CLASSES
from se_viz.types import AnyFloats
from se_viz.wording import signed


def effect_sizes(
    gate: str,
    names: tuple[str, str],
    channels: Sequence[int],
    d: AnyFloats,
    auroc: AnyFloats | None = None,
    margin: AnyFloats | None = None,
) -> Chart:
    """Draw a bar for each of the channels that differ most.

    Args:
        gate: name of the gate.
        names: names of the two classes.
        channels: numbers of k channels, the largest difference first.
        d: Cohen's d of each channel (k,); positive where the first class gets the larger weights.
        auroc: AUROC of each channel (k,), if it is known.
        margin: largest possible error of each AUROC (k,), if it is not 0.
    """
    first, second = map(label, names)
    layout = frame(f"{gate}: {first} compared with {second}", "Cohen's d", "channel", max(220, 90 + 18 * len(channels)))
    rows = [str(channel) for channel in channels]
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "tickvals": rows}
    layout["xaxis"] |= {"zeroline": True}
    bar = go.Bar(
        x=d,
        y=rows,
        orientation="h",
        customdata=None if auroc is None else auroc_text(auroc, margin),
        marker={"color": [CLASSES[0] if value > 0 else CLASSES[1] for value in d]},
        xhoverformat=".2f",
        hovertemplate="channel %{y}<br>d = %{x}"
        + ("" if auroc is None else "<br>AUROC = %{customdata}")
        + "<extra></extra>",
    )
    listed = ", ".join(f"channel {channel} {signed(value, '+.2f')}" for channel, value in zip(channels, d, strict=True))
    return Chart(
        name=f"effect_{gate}",
        figure=go.Figure(bar, layout),
        alt=f"Cohen's d between {names[0]} and {names[1]} in {gate}: {listed}.",
        how_to_read=(
            f"A bar to the right, in the colour of {names[0]}: the gate passes more of this channel for {names[0]}. A "
            f"bar to the left: more for {names[1]}. The length is the difference of the two means in standard "
            "deviations: 0.8 is usually called large, and at 2 the two classes hardly overlap."
        ),
    )


def auroc_text(auroc: AnyFloats, margin: AnyFloats | None = None) -> list[str]:
    """Return each AUROC (k,) in two digits, with its margin (k,) if that is visible in two digits."""
    margins = np.zeros(len(auroc)) if margin is None else margin
    return [
        f"{value:.2f}" + (f" ± {off:.2f}" if off >= _SHOWS else "") for value, off in zip(auroc, margins, strict=True)
    ]


def two_distributions(
    gate: str,
    channel: int,
    names: tuple[str, str],
    histograms: tuple[tuple[AnyFloats, AnyFloats], tuple[AnyFloats, AnyFloats]],
    span: tuple[float, float],
) -> Chart:
    """Draw the distribution of s of one channel over the images of each class.

    Args:
        gate: name of the gate.
        channel: number of the channel.
        names: names of the two classes.
        histograms: for each class, the number of images in each of B bins (B,) and the bins' borders (B + 1,). A bin
            without width, whose images have the same s, is drawn 1/200 of the span wide.
        span: the range of s that the gate function can reach.
    """
    layout = frame(f"{gate}, channel {channel}", "s, weight of the channel", "images, % per 0.01 of s", 300)
    layout["margin"]["t"] = 68
    layout["barmode"] = "overlay"
    layout["xaxis"]["range"] = list(span)
    bars, centres = [], []
    for place, (name, (counts, edges)) in enumerate(zip(names, histograms, strict=True)):
        # Bins have different widths: the height is the share divided by the width, so that areas are comparable.
        filled = counts > 0
        share = counts[filled] / max(1.0, float(counts.sum()))
        width = np.maximum(np.diff(edges)[filled], (span[1] - span[0]) / _NARROWEST)
        middle = ((edges[:-1] + edges[1:]) / 2)[filled]
        centres.append(float(share @ middle))
        bars.append(
            go.Bar(
                x=middle,
                y=share / width,
                width=width,
                customdata=100 * share,
                name=label(name),
                marker={"color": CLASSES[place], "line": {"width": 0}},
                opacity=0.6,
                xhoverformat=".3f",
                hovertemplate=f"{label(name)}<br>s ≈ %{{x}}: %{{customdata:.0f}}% of the images<extra></extra>",
            )
        )
    return Chart(
        name=f"two_{gate}_{channel}",
        figure=go.Figure(bars, layout),
        alt=(
            f"Histograms of s of channel {channel} of {gate}: {names[0]} around {signed(centres[0], '.2f')}, "
            f"{names[1]} around {signed(centres[1], '.2f')}."
        ),
        how_to_read=(
            "The distribution of the weight of this channel over the images of each class; areas are shares of the "
            "images. Separate peaks: this channel alone distinguishes the classes. Overlapping peaks: it does not. A "
            "needle: many images have exactly the same weight."
        ),
    )


_SHOWS = 0.005
_NARROWEST = 200
