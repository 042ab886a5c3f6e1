"""Excitation by class: the paper's Figures 6 and 7."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame, label, room_for_legend
from se_viz.figures.palette import ACCENT, CLASSES, MUTED
from se_viz.types import AnyFloats

SAMPLED = 50  # channels, as in the paper's figures
ALL = "all classes"


def sampled(channels: int, count: int = SAMPLED) -> list[int]:
    """Evenly spaced channel numbers, the first and the last among them; all where there are no more than ``count``."""
    if channels <= count:
        return list(range(channels))
    return [round(place) for place in np.linspace(0, channels - 1, count)]


def mean_excitation(
    gate: str,
    means: Mapping[str, AnyFloats],
    overall: AnyFloats,
    span: tuple[float, float],
    channels: Sequence[int],
    of: Literal["class", "group"] = "class",
) -> Chart:
    """Figure 6: the mean of s over each class's images, over channels, with the mean over all classes.

    Args:
        gate: its name.
        means: class → mean of s (C,), up to six, in the order of the colours.
        overall: the mean over all classes (C,).
        span: of s, what the gate function can reach.
        channels: which to draw.
        of: whether the means are of classes, or of groups of a person's own images.
    """
    layout = frame(f"{gate}: mean excitation by {of}", _axis(channels, len(overall)), "mean of s", 320)
    lines = [*means.items(), (ALL, overall)]
    room_for_legend(layout, len(lines))
    layout["yaxis"]["range"] = _padded(span)
    chosen = np.asarray(channels, np.int32)  # a list of 2,048 numbers takes ten times as long to draw
    traces = [
        go.Scatter(
            x=chosen,
            y=values[chosen].astype(np.float32),
            name=label(name),
            mode="lines",
            line={
                "color": MUTED if name == ALL else CLASSES[index % len(CLASSES)],
                "width": 2.5 if name == ALL else 1.5,
                "dash": "dot" if name == ALL else "solid",
            },
            hovertemplate=f"{label(name)}<br>channel %{{x}}: %{{y:.3f}}<extra></extra>",
        )
        for index, (name, values) in enumerate(lines)
    ]
    gaps = ", ".join(f"{name} {np.abs(values - overall).mean():.3f}" for name, values in means.items())
    return Chart(
        name=f"{'classes' if of == 'class' else 'groups'}_{gate}",
        figure=go.Figure(traces, layout),
        alt=(
            f"Mean of s by {of} for {len(chosen)} of {len(overall)} channels of {gate}, axis from {span[0]:g} to "
            f"{span[1]:g}. Mean distance from the mean over all classes: {gaps}."
        ),
        how_to_read=(
            f"Each line is a {of}: the weight that its images get on average, channel by channel; the dotted line is "
            "the mean over all classes. Where the lines lie on each other, the gate does not tell them apart; "
            "where they part, it treats them differently. It is the paper's Figure 6 for this network."
        ),
    )


def class_band(
    gate: str,
    name: str,
    centre: AnyFloats,
    ends: tuple[AnyFloats, AnyFloats],
    what: str,
    span: tuple[float, float],
    channels: Sequence[int],
    place: int,
) -> Chart:
    """Figure 7: s over the images of one class, as a line with a band.

    Args:
        gate: its name.
        name: of the class.
        centre, ends: of the line and the band, over the class's images (C,) each.
        what: they are, for instance "mean ± deviation".
        span: of s, what the gate function can reach.
        channels: which to draw.
        place: of the class among those chosen, for its colour.
    """
    chosen = np.asarray(channels, np.int32)
    low, high = (np.clip(end, *span)[chosen].astype(np.float32) for end in ends)
    colour = CLASSES[place % len(CLASSES)]
    layout = frame(f"{gate}: {label(name)}, {what}", _axis(channels, len(centre)), "s", 280)
    layout["yaxis"]["range"] = _padded(span)
    band = go.Scatter(
        x=np.concatenate([chosen, chosen[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=_faint(colour),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    line = go.Scatter(
        x=chosen,
        y=centre[chosen].astype(np.float32),
        customdata=np.stack([low, high], axis=1),
        mode="lines",
        line={"color": colour, "width": 1.5},
        showlegend=False,
        hovertemplate="channel %{x}: %{y:.3f}<br>%{customdata[0]:.3f} to %{customdata[1]:.3f}<extra></extra>",
    )
    return Chart(
        name=f"band_{gate}_{place}",
        figure=go.Figure([band, line], layout),
        alt=(
            f"{what} of s over the images of {name}, {len(chosen)} channels of {gate}: {centre.mean():.2f} on average, "
            f"a band of {(high - low).mean():.2f}."
        ),
        how_to_read=(
            f"The line and the band are {what} over the images of the class. A narrow band: they are treated alike, "
            "channel by channel; a wide one: the gate looks at more than the class. It is the paper's Figure 7."
        ),
    )


def eta_by_gate(
    gates: Sequence[str], quantiles: AnyFloats, noise: AnyFloats | None = None, limit: AnyFloats | None = None
) -> Chart:
    """Where classes part: the share of the variance of s that lies between classes, by gate.

    Args:
        gates: names in execution order, G of them.
        quantiles: lower quartile, median and upper quartile over the channels (3, G), 0–1.
        noise: the mean where labels are handed out at random (G,), if it is known.
        limit: what a channel's η² then stays below 95 times of 100 (G,), if it is known.
    """
    layout = frame("Where classes part", "gate, in the order of execution", "η², share of variance", 300)
    layout["xaxis"] |= {"type": "category"}
    layout["yaxis"]["range"] = [0, 1]
    layout["margin"]["t"] = 84  # the legend has rows on a phone
    names = list(gates)
    moving = np.flatnonzero(np.isfinite(quantiles).all(axis=0))  # a gate that never moves has no variance to share
    banded = [*moving, *reversed(moving)]
    traces = [
        go.Scatter(
            x=[names[index] for index in banded],
            y=np.concatenate([quantiles[2, moving], quantiles[0, moving[::-1]]]),
            mode="lines",
            fill="toself",
            fillcolor=_faint(ACCENT),
            line={"width": 0},
            hoverinfo="skip",
            name="half of the channels",
        ),
        go.Scatter(
            x=names,
            y=quantiles[1],
            customdata=quantiles[[0, 2]].T,
            mode="lines+markers",
            line={"color": ACCENT},
            name="median channel",
            hovertemplate="%{x}: %{y:.2f}<br>quartiles %{customdata[0]:.2f} to %{customdata[1]:.2f}<extra></extra>",
        ),
    ]
    if noise is not None:
        traces.append(
            go.Scatter(
                x=names,
                y=noise,
                mode="lines",
                line={"color": MUTED, "dash": "dot"},
                name="by chance",
                hovertemplate="by chance %{y:.4f} on average<extra></extra>",
            )
        )
    if limit is not None:
        traces.append(
            go.Scatter(
                x=names,
                y=limit,
                mode="lines",
                fill="tozeroy",
                fillcolor=_faint(MUTED),
                line={"width": 0},
                showlegend=False,
                hovertemplate="by chance below %{y:.4f} 95 times of 100<extra></extra>",
            )
        )
    listed = ", ".join(f"{gate} {value:.2f}" for gate, value in zip(names, quantiles[1], strict=True))
    return Chart(
        name="eta_by_gate",
        figure=go.Figure(traces, layout),
        alt=f"Share of the variance of s between classes, median channel by gate: {listed}.",
        how_to_read=(
            "η² is the share of a channel's variance that knowing the class explains: 0 where classes get the same "
            "weights, 1 where all images of a class get one weight. The line is the median channel of the gate, the "
            "band holds half of its channels. Labels handed out at random explain a little, too: the dotted line says "
            "how much on average, and 95 times of 100 a channel stays in the grey. What lies above is no accident of "
            "few images."
        ),
    )


def _axis(channels: Sequence[int], of: int) -> str:
    return "channel" if len(channels) == of else f"channel, {len(channels)} of {of} evenly spaced"


def _padded(span: tuple[float, float]) -> list[float]:
    pad = 0.03 * (span[1] - span[0])
    return [span[0] - pad, span[1] + pad]


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.22)"
