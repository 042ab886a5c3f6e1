"""The maps of chosen channels before and after the gate: U, X̃ = s · U, and their difference X̃ − U."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.image_tiles import BAR, colour_over, image_tiles
from se_viz.figures.mosaic import mosaic
from se_viz.figures.not_finite import drawable, number, say_lost
from se_viz.figures.palette import DIVERGING, scale
from se_viz.gates.capture import GateCapture
from se_viz.types import Float32s

MOST = 8  # maximum number of channels in a legible mosaic
_OVERLAY_SIDE = 128  # pixels of one image in the mosaic: more are not visible and take long to send
_SIGNED = ("U", "X̃ = s·U", "X̃ − U")
_STRENGTHS = ("|U|", "|X̃|", "|X̃ − U|")


def recalibrated_maps(gate_capture: GateCapture, focus: int, channels: Sequence[int], image: str) -> Chart:
    """Draw U, X̃ and X̃ − U of chosen channels of one image, as one mosaic on one colour scale.

    Args:
        gate_capture: the values of one gate, with maps.
        focus: the image's index in these maps.
        channels: indices of the channels.
        image: name of the image.

    Raises:
        ValueError: the maps were not captured, or no channel is chosen.
    """
    maps, s = _chosen(gate_capture, focus, channels)
    tiled, pitch = mosaic(maps)
    layout = _layout(gate_capture, image, channels, s, pitch, _SIGNED)
    say_lost(layout, maps, "values")
    reach = _reach(maps)
    figure = go.Figure(
        go.Heatmap(
            z=tiled,
            zmin=-reach,
            zmax=reach,
            colorscale=scale(DIVERGING),
            colorbar={"title": {"text": "value<br>(no unit)"}, **BAR},
            hoverongaps=False,
            zhoverformat=".3f",
            hovertemplate="%{z}<extra></extra>",
        ),
        layout,
    )
    return Chart(
        name=f"maps_{gate_capture.gate.name}",
        figure=figure,
        alt=_alt(gate_capture, channels, s, image, "Maps"),
        how_to_read=(
            "A column is a channel; above it are its number and its weight s. Top: the map U before the gate. Middle: "
            "X̃, the same map times s. Bottom: the difference, which is the whole effect of the gate. All tiles have "
            "the same scale: pale is zero, brown positive, blue negative."
        ),
    )


def overlay_maps(gate_capture: GateCapture, focus: int, channels: Sequence[int], image: str, cut: Image.Image) -> Chart:
    """Draw the strength of U, X̃ and X̃ − U of chosen channels over the image as the model sees it.

    Args:
        gate_capture, focus, channels, image: as for ``recalibrated_maps``.
        cut: the image, cropped to the model's input.
    """
    maps, s = _chosen(gate_capture, focus, channels)
    cut = cut.copy()
    cut.thumbnail((_OVERLAY_SIDE, _OVERLAY_SIDE))
    strengths = np.abs(maps)
    reach = _reach(strengths)
    tiles = [[colour_over(cut, strength / reach) for strength in row] for row in strengths]
    gap = max(2, cut.width // 16)
    pitch = max(cut.size) + gap
    size = (pitch * len(channels), pitch * len(tiles))
    traces = image_tiles(tiles, pitch, size, reach, "strength<br>(no unit)")
    layout = _layout(gate_capture, image, channels, s, pitch, _STRENGTHS)
    say_lost(layout, strengths, "values")
    figure = go.Figure(traces, layout)
    return Chart(
        name=f"overlay_{gate_capture.gate.name}",
        figure=figure,
        alt=_alt(gate_capture, channels, s, image, "Overlays on the image"),
        how_to_read=(
            "Where on the image a channel is active before the gate (top) and after it (middle), and where the gate "
            "changed it (bottom). Stronger is lighter and more opaque; all tiles have the same scale. Maps of deep "
            "stages are coarse: a map of 4 × 4 numbers is spread over the whole image."
        ),
    )


def _chosen(gate_capture: GateCapture, focus: int, channels: Sequence[int]) -> tuple[Float32s, Float32s]:
    """Return U, X̃ and X̃ − U of channels (3, channels, H, W), NaN where not finite, and s (channels,)."""
    if gate_capture.u is None or gate_capture.x is None:
        raise ValueError(f"The maps of {gate_capture.gate.name} were not captured.")
    if not channels:
        raise ValueError("Choose at least one channel.")
    index = list(channels)
    u, x = drawable(gate_capture.u[focus, index]), drawable(gate_capture.x[focus, index])
    with np.errstate(over="ignore"):
        return drawable(np.stack([u, x, x - u])), gate_capture.s[focus, index]


def _reach(maps: Float32s) -> float:
    """Return the largest finite distance from 0."""
    return float(np.abs(maps[np.isfinite(maps)]).max(initial=0)) or 1.0


def _layout(
    gate_capture: GateCapture, image: str, channels: Sequence[int], s: Float32s, pitch: int, rows: Sequence[str]
) -> dict[str, Any]:
    """Return a layout with square tiles, the channel and s above each column, and the row names at the left."""
    title = (
        f"{gate_capture.gate.name}, channel {channels[0]}: {label(image, 22)}"
        if len(channels) == 1
        else f"{gate_capture.gate.name}: effect on {len(channels)} channels of {label(image, 28)}"
    )
    layout = frame(title, "channel number, and its s", "map", 420)
    middle = pitch / 2
    layout["xaxis"] |= {
        "tickvals": [middle + pitch * column for column in range(len(channels))],
        "ticktext": [f"{channel}<br><b>{number(weight)}</b>" for channel, weight in zip(channels, s, strict=True)],
        "side": "top",
        "tickangle": 0,
        "showgrid": False,
        "constrain": "domain",
    }
    layout["yaxis"] |= {
        "tickvals": [middle + pitch * row for row in range(len(rows))],
        "ticktext": list(rows),
        "autorange": "reversed",
        "scaleanchor": "x",
        "constrain": "domain",
        "constraintoward": "top",
        "showgrid": False,
    }
    layout["margin"]["t"] = 104  # the title, the axis title, and two lines above each column
    return layout


def _alt(gate_capture: GateCapture, channels: Sequence[int], s: Float32s, image: str, what: str) -> str:
    pairs = ", ".join(f"{channel} (s {number(weight)})" for channel, weight in zip(channels, s, strict=True))
    return f"{what} of {gate_capture.gate.name} for {image}: U, X̃ and their difference for channels {pairs}."
