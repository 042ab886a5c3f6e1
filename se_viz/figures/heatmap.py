"""The channel-attention heatmap: a row for each image, a column for each channel, s as colour."""

import re
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from se_viz.analysis.channel_order import Order, most_varying, order_channels
from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.not_finite import drawable, lost, say_lost, texts
from se_viz.figures.palette import DIVERGING, MUTED, SEQUENTIAL, scale
from se_viz.figures.row_thumbnails import beside_rows
from se_viz.figures.sorted_weights import HEIGHT, weight_bars
from se_viz.gates.capture import GateCapture
from se_viz.gates.gate_functions import range_of
from se_viz.types import AnyFloats
from se_viz.wording import signed

# Suppressed channels are as dark as the dark theme, so the heatmap has an outline.
_OUTLINE = {"showgrid": False, "showline": True, "mirror": True, "linecolor": MUTED}

_THREE_NUMBERS = 100  # height of a colour bar in pixels

_STRIP = 9  # pixels of the strip above the heatmap with the marks; its title is as much nearer

_ENDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)  # of the colours of differences
_WITHIN = 99.5  # % of the differences with different colours; what is beyond has the colour of the end

# Short, as a phone cuts off longer titles; the mark stands above the channels that differ most between the images.
_ORDER_WORDS = {
    "index": "by index",
    "mean": "highest mean s first",
    "variance": "most varying first",
    "similarity": "neighbours respond alike",
}
_MARK = "▼"
_MARKED = f" {_MARK} marks the channels that differ most between these images."


def s_range(gate_capture: GateCapture) -> tuple[float, float]:
    """Return the range of s on every axis and colour bar: the gate function's range, 0–1 for a sigmoid.

    A function without bounds (ReLU) gets 0–1 too, widened to whole numbers if weights are outside it.
    """
    if known := range_of(gate_capture.gate.gate_function):
        return known
    finite = gate_capture.s[np.isfinite(gate_capture.s)]
    return min(0.0, float(np.floor(finite.min(initial=0)))), max(1.0, float(np.ceil(finite.max(initial=1))))


def attention_heatmap(
    gate_capture: GateCapture,
    images: Sequence[str],
    order: Order = "index",
    focus: int = 0,
    model: str = "",
    thumbnails: Sequence[str] = (),
) -> Chart:
    """Draw s of one gate for N images, (N, C), on a fixed colour scale; for one image as bars.

    Args:
        gate_capture: the values of the gate.
        images: names of the N images.
        order: order of the channels.
        focus: index of the image that the description is about.
        model: name of the model for the title, if several are shown.
        thumbnails: a data URL of each image, to stand at its row.
    """
    gate, s = gate_capture.gate, gate_capture.s
    low, high = s_range(gate_capture)
    named = f"{model and f'{label(model, 40)}, '}{gate.name}"
    title = f"{named}: s of {gate.channels} channels"
    figure = _drawn(gate_capture, s, images, order, title, (low, high), "s", thumbnails)
    low_share, high_share = float((s[focus] < 0.5).mean()), float((s[focus] > 0.9).mean())
    about = (
        lost(s[focus])
        or f"mean {signed(s[focus].mean(dtype=np.float64), '.2f')}, {low_share:.0%} of channels below 0.5, "
        f"{high_share:.0%} above 0.9"
    )
    return Chart(
        name="_".join(["heatmap", *([re.sub(r"[^A-Za-z0-9]+", "", model)] if model else []), gate.name]),
        figure=figure,
        alt=f"{_said(gate_capture)}, {_scale(gate_capture)} from {signed(low, 'g')} to {high:g}. "
        f"For {images[focus]}: {about}.{_said_most(gate_capture)}",
        how_to_read=_how_to_read(gate_capture),
    )


def _how_to_read(gate_capture: GateCapture) -> str:
    """Return how to read weights themselves."""
    function = gate_capture.gate.gate_function
    if len(gate_capture.s) == 1:
        return (
            "Each bar is a channel of the block: the weight s that the gate gives it for this image. A channel with "
            "s = 0 is suppressed, one with s = 1 passes unchanged. The axis covers the range of the gate function, so "
            "charts are comparable."
        )
    if function in ("sigmoid", "hard-sigmoid"):
        return (
            "Each row is an image, each column a channel of the block. Dark: the gate suppresses the channel for this "
            "image; light: it passes the channel. Vertical stripes are channels with the same weight for all images; "
            "where rows differ, the weight depends on the image. The colours always run from 0 to 1, so charts are "
            f"comparable.{_MARKED}"
        )
    return (
        "Each row is an image, each column a channel. The colour is the weight that the gate gives the channel; the "
        f"scale covers the range of the gate function ({function}), or all weights if it has no bounds.{_MARKED}"
    )


def deviation_heatmap(
    gate_capture: GateCapture,
    mean: AnyFloats,
    images: Sequence[str],
    order: Order = "index",
    focus: int = 0,
    thumbnails: Sequence[str] = (),
) -> Chart:
    """Draw how far s of one gate is from its mean over many images, (N, C): what the gate does for these images alone.

    One image is drawn as bars.

    Args:
        gate_capture: the values of the gate.
        mean: mean of s over the images of class profiles (C,).
        images: names of the N images.
        order: order of the channels.
        focus: index of the image that the description is about.
        thumbnails: a data URL of each image, to stand at its row.
    """
    gate, away = gate_capture.gate, gate_capture.s - mean.astype(np.float32)
    finite = np.abs(away[np.isfinite(away)])
    far = float(np.percentile(finite, _WITHIN)) if finite.size else 0.0
    end = next((end for end in _ENDS if end >= far), _ENDS[-1])
    title = f"{gate.name}: Δs = s − mean, {gate.channels} channels"
    figure = _drawn(gate_capture, away, images, order, title, (-end, end), "Δs", thumbnails)
    row = np.where(np.isfinite(away[focus]), away[focus], 0)
    most = int(np.abs(row).argmax())
    about = lost(gate_capture.s[focus]) or (
        f"{np.abs(row).mean(dtype=np.float64):.2f} from the mean on average, "
        f"furthest in channel {most} ({signed(row[most], '+.2f')})"
    )
    return Chart(
        name=f"deviation_{gate.name}",
        figure=figure,
        alt=(
            f"{_said(gate_capture)}, minus their mean over class profiles, {_scale(gate_capture)} from −{end:g} to "
            f"{end:g}. For {images[focus]}: {about}.{_said_most(gate_capture)}"
        ),
        how_to_read=(
            f"{_rows_or_bars(gate_capture)} the weight s minus its mean over the images of the class profiles. Blue: "
            "the gate passes less of the channel than on average; brown: more; near 0: as much. The ends of the scale "
            "differ between gates, because some hardly change their weights. “Raw s” draws the weights themselves."
            f"{_MARKED if len(gate_capture.s) > 1 else ''}"
        ),
    )


def _said(gate_capture: GateCapture) -> str:
    n, c = gate_capture.s.shape
    if n == 1:
        return f"Bars of the excitation weights s of {gate_capture.gate.name}: {c} channels of one image"
    return f"Heatmap of the excitation weights s of {gate_capture.gate.name}: {n} images by {c} channels"


def _scale(gate_capture: GateCapture) -> str:
    return "axis" if len(gate_capture.s) == 1 else "colour"


def _rows_or_bars(gate_capture: GateCapture) -> str:
    if len(gate_capture.s) == 1:
        return "Each bar is a channel of the block:"
    return "Each row is an image, each column a channel of the block. The colour is"


def _said_most(gate_capture: GateCapture) -> str:
    most = most_varying(gate_capture.s)
    return f" The channels that differ most between the images: {', '.join(map(str, most))}." if most else ""


def _drawn(
    gate_capture: GateCapture,
    values: AnyFloats,
    images: Sequence[str],
    order: Order,
    title: str,
    ends: tuple[float, float],
    called: str,
    thumbnails: Sequence[str],
) -> go.Figure:
    """Draw values (N, C) of a gate as colours between two ends; those of one image as bars."""
    s, (low, high) = gate_capture.s, ends
    n = len(s)
    if n == 1:
        return _bars(gate_capture, values[0], order, title, ends, called)
    channels = order_channels(s, order)
    # In another order than by index, each column is labelled with its channel's number.
    x = None if order == "index" else channels.astype(str)
    rows = [f"{index + 1} {label(name)}" for index, name in enumerate(images)]
    rows_height = max(56, n * max(9, min(23, 320 // n)))
    marked = most_varying(s)
    mark = f", {_MARK} vary most" if marked and order != "variance" else ""
    layout = frame(title, f"channel, {_ORDER_WORDS[order]}{mark}", "image", 104 + rows_height)
    # The colour bar is as high as the rows: beside few rows there is no room for a number between the ends.
    ticks = [low, high] if rows_height < _THREE_NUMBERS else [low, (low + high) / 2, high]
    # Few numbers, as on a phone more of them would be turned by 90 degrees, which takes height.
    edges = [-0.5, len(channels) - 0.5]  # marks and thumbnails would widen both axes
    layout["xaxis"] |= {"type": "linear" if x is None else "category", "nticks": 5, "range": edges, **_OUTLINE}
    layout["margin"]["pad"] = 0  # the outline is around the cells, the thumbnails beside it
    layout["yaxis"] |= {"range": [n - 0.5, -0.5], "nticks": min(n, 24), **_OUTLINE}
    beside_rows(layout, thumbnails, rows_height)
    say_lost(layout, s)
    rows_share = rows_height / (rows_height + _STRIP) if marked else 1.0
    # Numbers that may be negative are texts: the pointer's numbers have a hyphen instead of the minus sign.
    shown, weights = f"{called} = %{{z}}<br>", None
    if values is not s:
        positive = s_range(gate_capture)[0] >= 0
        weights = s[:, channels] if positive else texts(s[:, channels])
        shown += "s = %{customdata:.3f}<br>" if positive else "s = %{customdata}<br>"
    squeezed = "no z was seen" if gate_capture.z is None else "z = %{text}"
    heatmap = go.Heatmap(
        z=drawable(values[:, channels]),
        customdata=weights,
        text=None if gate_capture.z is None else texts(gate_capture.z[:, channels]),
        x=x,
        y=rows,
        zmin=low,
        zmax=high,
        zhoverformat=".3f",
        colorscale=scale(SEQUENTIAL if low == 0 else DIVERGING),
        colorbar={"title": {"text": called}, "thickness": 10, "tickvals": ticks, "ypad": 0, "len": rows_share}
        | {"y": 0, "yanchor": "bottom"},
        hovertemplate=f"%{{y}}<br>channel %{{x}}<br>{shown}{squeezed}<extra></extra>",
    )
    if not marked:
        return go.Figure(heatmap, layout)
    layout["margin"]["t"] -= _STRIP
    layout["yaxis"]["domain"] = [0, rows_share]
    layout["yaxis2"] = {"domain": [rows_share, 1], "range": [-1, 1], "visible": False}
    marks = go.Scatter(
        x=list(marked) if x is None else [str(channel) for channel in marked],
        y=[0] * len(marked),
        yaxis="y2",
        mode="markers",
        marker={"symbol": "triangle-down", "size": 7, "color": MUTED},
        cliponaxis=False,
        showlegend=False,
        customdata=list(marked.values()),
        hovertemplate="channel %{x} is among those that differ most<br>SD of s over the images: %{customdata:.3f}"
        "<extra></extra>",
    )
    return go.Figure([heatmap, marks], layout)


def _bars(
    gate_capture: GateCapture, values: AnyFloats, order: Order, title: str, ends: tuple[float, float], called: str
) -> go.Figure:
    """Draw values (C,) of one image; it has no variance, so that order is by the values."""
    s = gate_capture.s
    channels = order_channels(s, order)
    words = f"highest {called} first" if order == "variance" else _ORDER_WORDS[order]
    if order == "variance":
        channels = np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")
    layout = frame(title, f"channel, {words}", called, 104 + HEIGHT)
    layout["xaxis"] |= {"type": "category", "nticks": 5, **_OUTLINE}
    layout["yaxis"] |= _OUTLINE
    say_lost(layout, s)
    further = {"s": None if called == "s" else s[0], "z": None if gate_capture.z is None else gate_capture.z[0]}
    known = {name: detail[channels] for name, detail in further.items() if detail is not None}
    lines = [f"channel %{{x}}<br>{called} = %{{y}}"]
    lines += [f"{name} = %{{customdata[{place}]}}" for place, name in enumerate(known)]
    template = f"{'<br>'.join(lines)}<extra></extra>"
    return weight_bars(layout, values[channels], channels.astype(str), ends, template, list(known.values()))
