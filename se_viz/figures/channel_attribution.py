"""Attribution of an output to the channels of one gate, with s, its mean, and the maps U and X̃ of each channel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.heatmap import s_range
from se_viz.figures.not_finite import drawable, number
from se_viz.figures.palette import ACCENT, DIVERGING, MUTED, NEGATIVE, POSITIVE, scale
from se_viz.gates.capture import GateCapture
from se_viz.types import Float32s, Floats

_SIDE = 16  # pixels of a thumbnail at most; a screen shows it at about 50
_ROOM = 0.05  # of the range of s at each end, for whole dots
_BARS, _WEIGHTS, _MAPS = (0.58, 1.0), (0.33, 0.53), (0.0, 0.27)  # of the height


def channel_attribution(
    gate_capture: GateCapture, values: Floats, mean: Floats | None, channels: Sequence[int], target: str, method: str
) -> Chart:
    """Draw a column for each channel: its signed attribution, its s and the mean of s, and its maps U and X̃.

    Args:
        gate_capture: the values of the gate for one image, with maps if they are to be drawn.
        values: attributions (C,), in logits.
        mean: mean of s (C,), if it is known.
        channels: the channels to draw, in order.
        target: name of the output.
        method: name of the method.
    """
    chosen, s = list(channels), gate_capture.s[0]
    places = list(range(len(chosen)))
    bars = drawable(values[chosen])
    traces: list[go.Bar | go.Scatter | go.Heatmap] = [
        go.Bar(
            x=places,
            y=bars,
            marker={"color": [POSITIVE if value >= 0 else NEGATIVE for value in bars]},
            customdata=chosen,
            showlegend=False,
            yhoverformat="+.3f",
            hovertemplate="channel %{customdata}<br>attribution %{y}<extra></extra>",
        ),
        _dots(places, s[chosen], "s of this image", {"color": ACCENT, "size": 9}),
    ]
    if mean is not None:
        traces.append(
            _dots(
                places,
                mean[chosen],
                "mean of s",
                {"color": MUTED, "size": 12, "symbol": "line-ew", "line": {"color": MUTED, "width": 2}},
            )
        )
    if gate_capture.u is not None and gate_capture.x is not None:
        traces.append(_maps(gate_capture.u[0, chosen], gate_capture.x[0, chosen]))
    listed = ", ".join(f"{channel} {number(values[channel], '+.2f')} (s {number(s[channel])})" for channel in chosen)
    return Chart(
        name=f"attribution_{gate_capture.gate.name}",
        figure=go.Figure(traces, _layout(gate_capture, chosen, target)),
        alt=f"Attribution of {target} to {len(chosen)} channels of {gate_capture.gate.name}, by {method}: {listed}.",
        how_to_read=(
            f"A column is a channel. Top: its attribution, what {_what(method)} adds to {target} "
            "(brown) or takes from it (blue), in units of the output. Middle: its weight s, and the mean of s. Bottom: "
            "its map before the gate (U) and after it (X̃ = s · U): pale is zero, brown positive, blue negative. The "
            "two "
            "maps have the same colour scale, which differs between channels."
        ),
    )


def _layout(gate_capture: GateCapture, channels: Sequence[int], target: str) -> dict[str, Any]:
    """Return the layout: from top to bottom the axes of the attributions, of s, and of the maps if there are any."""
    layout = frame(
        f"{gate_capture.gate.name}: channels with the largest attribution to {label(target, 24)}", "", "", 560
    )
    layout["margin"] |= {"t": 76, "l": 62}  # pixels at the left for the word "channel"
    lowest = "y2" if gate_capture.u is None or gate_capture.x is None else "y3"
    layout["xaxis"] |= {
        **{"tickvals": list(range(len(channels))), "ticktext": [str(channel) for channel in channels]},
        **{"anchor": lowest, "showgrid": False, "range": [-0.6, len(channels) - 0.4], "title": {"text": ""}},
    }
    layout["yaxis"] |= {"domain": _BARS, "title": {"text": "attribution"}, "zeroline": True, "zerolinecolor": MUTED}
    axis = {key: layout["yaxis"][key] for key in ("automargin", "gridcolor", "linecolor")}
    low, high = s_range(gate_capture)
    layout["yaxis2"] = {
        **axis,
        **{"domain": _WEIGHTS, "title": {"text": "s"}, "zeroline": False, "nticks": 4},
        "range": [low - _ROOM * (high - low), high + _ROOM * (high - low)],
    }
    if lowest == "y3":
        layout["yaxis3"] = {
            **{"domain": _MAPS, "tickvals": [0, 1], "ticktext": ["U", "X̃"], "range": [1.55, -0.55]},
            **{"showgrid": False, "zeroline": False, "automargin": True, "scaleanchor": "x", "constrain": "domain"},
            "constraintoward": "top",
        }
    # At the left, as the chart is wider than a phone, which shows its left part first.
    layout["legend"] |= {"y": 1.0, "x": 0, "xanchor": "left"}
    layout["annotations"] = [
        {
            **{"text": "channel", "showarrow": False},
            **{"x": 0, "xref": "paper", "xanchor": "right", "xshift": -6},
            **{"y": 0, "yref": f"{lowest} domain", "yanchor": "top", "yshift": -8},
        }
    ]
    return layout


def _what(method: str) -> str:
    if method == "layer-conductance":
        return "the change of its s from an image of the mean colour to this one"
    return "its s, compared with the baseline,"


def _dots(places: Sequence[int], values: Floats | Float32s, name: str, marker: dict[str, object]) -> go.Scatter:
    return go.Scatter(
        x=list(places),
        y=drawable(values),
        yaxis="y2",
        name=name,
        mode="markers",
        marker=marker,
        yhoverformat=".3f",
        hovertemplate=f"{name} %{{y}}<extra></extra>",
    )


def _maps(u: Float32s, x: Float32s) -> go.Heatmap:
    """Return U above X̃, (channels, H, W) each, as one mosaic with a column at each whole number."""
    pair = np.stack([_small(drawable(u)), _small(drawable(x))])
    reach = np.maximum(np.nan_to_num(np.abs(pair)).max(axis=(0, 2, 3), keepdims=True), 1e-12)
    tiles = pair / reach
    rows, columns, height, width = tiles.shape
    side = max(height, width) * max(1, _SIDE // max(height, width))
    gap = max(1, side // 10)
    mosaic = np.full((rows * (side + gap), columns * (side + gap)), np.nan, np.float32)
    for row in range(rows):
        for column in range(columns):
            large = tiles[row, column].repeat(side // height, axis=0).repeat(side // width, axis=1)
            top, left = row * (side + gap), column * (side + gap)
            mosaic[top : top + large.shape[0], left : left + large.shape[1]] = large
    step = 1 / (side + gap)
    start = -0.5 * (side - 1) * step  # the middle of the first tile is at 0
    return go.Heatmap(
        z=np.round(mosaic, 2),
        x0=start,
        dx=step,
        y0=start,
        dy=step,
        yaxis="y3",
        zmin=-1,
        zmax=1,
        colorscale=scale(DIVERGING),
        showscale=False,
        hoverinfo="skip",
        hoverongaps=False,
    )


def _small(maps: Float32s) -> Float32s:
    """Return maps (channels, H, W) reduced to at most ``_SIDE`` pixels, by means over blocks."""
    channels, height, width = maps.shape
    block = -(-max(height, width) // _SIDE)
    cut = maps[:, : height - height % block or height, : width - width % block or width]
    if block == 1 or cut.shape[1] % block or cut.shape[2] % block:
        return maps[:, ::block, ::block]
    small: Float32s = cut.reshape(channels, cut.shape[1] // block, block, cut.shape[2] // block, block).mean((2, 4))
    return small
