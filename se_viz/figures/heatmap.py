"""The channel-attention heatmap: a row for each image, a column for each channel, s as colour."""

import re
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from se_viz.analysis.channel_order import Order, order_channels
from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.finite import drawable, lost, say_lost
from se_viz.figures.palette import DIVERGING, MUTED, SEQUENTIAL, scale
from se_viz.gates.capture import GateCapture
from se_viz.gates.gate_functions import range_of
from se_viz.types import AnyFloats

# Suppressed channels are as dark as the dark theme, so the heatmap has an outline.
_OUTLINE = {"showgrid": False, "showline": True, "mirror": True, "linecolor": MUTED}

_THREE_NUMBERS = 100  # height of a colour bar in pixels

_ENDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)  # of the colours of differences
_WITHIN = 99.5  # % of the differences with different colours; what is beyond has the colour of the end

_ORDER_WORDS = {
    "index": "by index",
    "mean": "highest mean s first",
    "variance": "most varying between images first",
    "similarity": "neighbours respond alike",
}


def s_range(gate_capture: GateCapture) -> tuple[float, float]:
    """Return the range of s on every axis and colour bar: the gate function's range, 0–1 for a sigmoid.

    A function without bounds (ReLU) gets 0–1 too, widened to whole numbers if weights are outside it.
    """
    if known := range_of(gate_capture.gate.gate_function):
        return known
    finite = gate_capture.s[np.isfinite(gate_capture.s)]
    return min(0.0, float(np.floor(finite.min(initial=0)))), max(1.0, float(np.ceil(finite.max(initial=1))))


def attention_heatmap(
    gate_capture: GateCapture, images: Sequence[str], order: Order = "index", focus: int = 0, model: str = ""
) -> Chart:
    """Draw s of one gate for N images, (N, C), on a fixed colour scale.

    Args:
        gate_capture: the values of the gate.
        images: names of the N images.
        order: order of the channels.
        focus: index of the image that the description is about.
        model: name of the model for the title, if several are shown.
    """
    gate, s = gate_capture.gate, gate_capture.s
    low, high = s_range(gate_capture)
    named = f"{model and f'{label(model, 40)}, '}{gate.name}"
    figure = _drawn(gate_capture, s, images, order, f"{named}: s of {gate.channels} channels", (low, high), "s")
    low_share, high_share = float((s[focus] < 0.5).mean()), float((s[focus] > 0.9).mean())
    about = (
        lost(s[focus])
        or f"mean {s[focus].mean(dtype=np.float64):.2f}, {low_share:.0%} of channels below 0.5, "
        f"{high_share:.0%} above 0.9"
    )
    return Chart(
        name="_".join(["heatmap", *([re.sub(r"[^A-Za-z0-9]+", "", model)] if model else []), gate.name]),
        figure=figure,
        alt=f"{_said(gate_capture)}, colour from {low:g} to {high:g}. For {images[focus]}: {about}.",
        how_to_read=(
            "Each row is an image, each column a channel of the block. Dark: the gate suppresses the channel for this "
            "image; light: it passes the channel. Vertical stripes are channels with the same weight for all images; "
            "where rows differ, the weight depends on the image. The colours always run from 0 to 1, so charts are "
            "comparable."
            if gate.gate_function in ("sigmoid", "hard-sigmoid")
            else "Each row is an image, each column a channel. The colour is the weight that the gate gives the "
            f"channel; the scale covers the range of the gate function ({gate.gate_function}), or all weights if it "
            "has no bounds."
        ),
    )


def deviation_heatmap(
    gate_capture: GateCapture, mean: AnyFloats, images: Sequence[str], order: Order = "index", focus: int = 0
) -> Chart:
    """Draw how far s of one gate is from its mean over many images, (N, C): what the gate does for these images alone.

    Args:
        gate_capture: the values of the gate.
        mean: mean of s over the images of class profiles (C,).
        images: names of the N images.
        order: order of the channels.
        focus: index of the image that the description is about.
    """
    gate, away = gate_capture.gate, gate_capture.s - mean.astype(np.float32)
    finite = np.abs(away[np.isfinite(away)])
    far = float(np.percentile(finite, _WITHIN)) if finite.size else 0.0
    end = next((end for end in _ENDS if end >= far), _ENDS[-1])
    title = f"{gate.name}: Δs = s − mean, {gate.channels} channels"
    figure = _drawn(gate_capture, away, images, order, title, (-end, end), "Δs")
    row = np.where(np.isfinite(away[focus]), away[focus], 0)
    most = int(np.abs(row).argmax())
    about = lost(gate_capture.s[focus]) or (
        f"{np.abs(row).mean(dtype=np.float64):.2f} from the mean on average, "
        f"furthest in channel {most} ({row[most]:+.2f})"
    )
    return Chart(
        name=f"deviation_{gate.name}",
        figure=figure,
        alt=(
            f"{_said(gate_capture)}, minus their mean over class profiles, colour from −{end:g} to {end:g}. "
            f"For {images[focus]}: {about}."
        ),
        how_to_read=(
            "Each row is an image, each column a channel of the block. The colour is the weight s minus its mean over "
            "the images of the class profiles. Blue: the gate passes less of the channel than for most images; brown: "
            "more; pale: as much. The ends of the colours differ between gates, as some hardly change their weights; "
            "“Raw s” draws the weights themselves."
        ),
    )


def _said(gate_capture: GateCapture) -> str:
    n, c = gate_capture.s.shape
    rows = f"{n} image{'s' if n > 1 else ''}"
    return f"Heatmap of the excitation weights s of {gate_capture.gate.name}: {rows} by {c} channels"


def _drawn(
    gate_capture: GateCapture,
    values: AnyFloats,
    images: Sequence[str],
    order: Order,
    title: str,
    ends: tuple[float, float],
    called: str,
) -> go.Figure:
    """Draw values (N, C) of a gate as colours between two ends."""
    s, (low, high) = gate_capture.s, ends
    n = len(s)
    channels = order_channels(s, order)
    # In another order than by index, each column is labelled with its channel's number.
    x = None if order == "index" else [str(channel) for channel in channels]
    rows = [f"{index + 1} {label(name)}" for index, name in enumerate(images)]
    rows_height = max(56, n * max(9, min(23, 320 // n)))
    layout = frame(title, f"channel, {_ORDER_WORDS[order]}", "image", 104 + rows_height)
    # The colour bar is as high as the rows: beside few rows there is no room for a number between the ends.
    ticks = [low, high] if rows_height < _THREE_NUMBERS else [low, (low + high) / 2, high]
    custom, shown = gate_capture.z, f"{called} = %{{z:.3f}}<br>"
    squeezed = "no z was seen" if gate_capture.z is None else "z = %{customdata:.3f}"
    if values is not s:
        custom = np.stack([s] if gate_capture.z is None else [s, gate_capture.z], axis=-1)
        shown += "s = %{customdata[0]:.3f}<br>"
        squeezed = squeezed.replace("customdata", "customdata[1]")
    # Few numbers, as on a phone more of them would be turned by 90 degrees, which takes height.
    layout["xaxis"] |= {"type": "category" if x else "linear", "nticks": 5, **_OUTLINE}
    layout["yaxis"] |= {"autorange": "reversed", "nticks": min(n, 24), **_OUTLINE}
    say_lost(layout, s)
    return go.Figure(
        go.Heatmap(
            z=drawable(values[:, channels]),
            customdata=None if custom is None else custom[:, channels],
            x=x,
            y=rows,
            zmin=low,
            zmax=high,
            colorscale=scale(SEQUENTIAL if low == 0 else DIVERGING),
            colorbar={"title": {"text": called}, "thickness": 10, "tickvals": ticks, "ypad": 0},
            hovertemplate=f"%{{y}}<br>channel %{{x}}<br>{shown}{squeezed}<extra></extra>",
        ),
        layout,
    )
