"""Excitation by class, as in the paper's Figures 6 and 7."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame, label, room_for_legend
from se_viz.figures.not_finite import texts
from se_viz.figures.palette import CLASSES, DASHES, MUTED
from se_viz.types import AnyFloats, Int32s
from se_viz.wording import signed

SAMPLED = 50  # channels, as in the paper's figures
ALL = "all classes"


def sampled(channels: int, count: int = SAMPLED) -> list[int]:
    """Return evenly spaced channel numbers, including the first and the last; all if there are at most ``count``."""
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
    """Draw Figure 6: the mean of s over each class's images, by channel, with the mean over all classes.

    Args:
        gate: name of the gate.
        means: class → mean of s (C,), up to six, in the order of the colours.
        overall: the mean over all classes (C,).
        span: the range of s that the gate function can reach.
        channels: the channels to draw.
        of: "class" for means of classes, "group" for means of groups of the user's images.
    """
    layout = frame(f"{gate}: mean excitation by {of}", _axis(channels, len(overall)), "mean of s", 320)
    lines = [*means.items(), (ALL, overall)]
    room_for_legend(layout, len(lines))
    layout["yaxis"]["range"] = padded(span)
    chosen = np.asarray(channels, np.int32)  # plotly draws a list of 2,048 numbers ten times more slowly
    traces = [
        go.Scatter(
            x=chosen,
            y=values[chosen].astype(np.float32),
            name=label(name),
            mode="lines",
            line={
                "color": MUTED if name == ALL else CLASSES[index % len(CLASSES)],
                "width": 2.5 if name == ALL else 1.5,
                "dash": "dot" if name == ALL else DASHES[index % len(DASHES)],
            },
            yhoverformat=".3f",
            hovertemplate=f"{label(name)}<br>channel %{{x}}: %{{y}}<extra></extra>",
        )
        for index, (name, values) in enumerate(lines)
    ]
    gaps = ", ".join(f"{name} {np.abs(values - overall).mean():.3f}" for name, values in means.items())
    return Chart(
        name=f"{'classes' if of == 'class' else 'groups'}_{gate}",
        figure=go.Figure(traces, layout),
        alt=(
            f"Mean of s by {of} for {len(chosen)} of {len(overall)} channels of {gate}, axis from "
            f"{signed(span[0], 'g')} to {span[1]:g}. Mean distance from the mean over all classes: {gaps}."
        ),
        how_to_read=(
            f"Each line is a {of}: the mean weight that its images get, by channel. The dotted line is the mean over "
            "all classes. Where the lines coincide, the gate treats them alike; where they separate, it treats them "
            "differently. This is the paper's Figure 6 for this network."
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
    """Draw Figure 7: s over the images of one class, as a line with a band.

    Args:
        gate: name of the gate.
        name: name of the class.
        centre, ends: the line and the two ends of the band, over the class's images (C,) each.
        what: what the line and the band are, for instance "mean ± SD".
        span: the range of s that the gate function can reach.
        channels: the channels to draw.
        place: position of the class among the chosen ones, which determines its colour.
    """
    chosen = np.asarray(channels, np.int32)
    low, high = (np.clip(end, *span)[chosen].astype(np.float32) for end in ends)
    colour = CLASSES[place % len(CLASSES)]
    layout = frame(f"{gate}: {label(name)}, {what}", _axis(channels, len(centre)), "s", 280)
    layout["yaxis"]["range"] = padded(span)
    band = area_between(chosen, low, high, colour)
    line = go.Scatter(
        x=chosen,
        y=centre[chosen].astype(np.float32),
        customdata=texts(np.stack([low, high], axis=1)),
        mode="lines",
        line={"color": colour, "width": 1.5},
        showlegend=False,
        yhoverformat=".3f",
        hovertemplate="channel %{x}: %{y}<br>%{customdata[0]} to %{customdata[1]}<extra></extra>",
    )
    return Chart(
        name=f"band_{gate}_{place}",
        figure=go.Figure([band, line], layout),
        alt=(
            f"{what} of s over the images of {name}, {len(chosen)} channels of {gate}: "
            f"{signed(centre.mean(), '.2f')} on average, a band of {(high - low).mean():.2f}."
        ),
        how_to_read=(
            f"The line and the band are {what} over the images of the class. Narrow band: the gate treats these images "
            "alike. Wide band: s depends on more than the class. This is the paper's Figure 7."
        ),
    )


def _axis(channels: Sequence[int], of: int) -> str:
    return "channel" if len(channels) == of else f"channel, {len(channels)} of {of} evenly spaced"


def padded(span: tuple[float, float]) -> list[float]:
    """Return the range of an axis for values in a span, a little wider than the span."""
    pad = 0.03 * (span[1] - span[0])
    return [span[0] - pad, span[1] + pad]


def area_between(channels: Int32s, low: AnyFloats, high: AnyFloats, colour: str) -> go.Scatter:
    """Return the area between two values ``low`` and ``high`` (C,) of each of the ``channels`` (C,)."""
    return go.Scatter(
        x=np.concatenate([channels, channels[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=faint(colour),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )


def faint(colour: str) -> str:
    """Return a colour #rrggbb at an opacity of 0.22, for the band around a line of that colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.22)"
