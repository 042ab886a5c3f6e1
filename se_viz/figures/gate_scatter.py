"""Charts of one gate: s by z, and the distribution of s over the channels."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from se_viz.analysis.health import CLOSE
from se_viz.figures.chart import Chart, frame
from se_viz.figures.heatmap import s_range
from se_viz.figures.not_finite import drawable, ends, lost, number, say_lost
from se_viz.figures.palette import ACCENT, MUTED
from se_viz.gates.capture import GateCapture
from se_viz.types import AnyFloats, Float32s, Floats
from se_viz.wording import signed

_BINS = 40
_SQUEEZES = {"avg": "average", "max": "maximum", "avg+max": "half average, half maximum", "avg, max": "average"}


def excitation(gate_capture: GateCapture, images: Sequence[str], focus: int) -> Chart:
    """Draw a point for each channel of one image: s by z, or by the channel's number if the gate has no z."""
    return (s_by_channel if gate_capture.z is None else z_against_s)(gate_capture, images, focus)


def s_by_channel(gate_capture: GateCapture, images: Sequence[str], focus: int) -> Chart:
    """Draw a point for each channel of one image: the channel's number across, the excitation weight s up."""
    gate, s = gate_capture.gate, gate_capture.s[focus]
    figure = _points(gate_capture, np.arange(len(s), dtype=np.float32), focus, "excitation by channel", "channel", "")
    return Chart(
        name=f"s_by_channel_{gate.name}",
        figure=figure,
        alt=(
            f"{len(s)} channels of {gate.name} for {images[focus]}, s {ends(s)}. There is no "
            "z, because s was not seen to come from one squeeze of U alone."
        ),
        how_to_read=(
            "Each point is a channel; the higher it is, the more the gate passes. For other gates the horizontal axis "
            "is the descriptor z. This gate has no z, because s was not seen to come from one squeeze of U alone."
        ),
    )


def z_against_s(gate_capture: GateCapture, images: Sequence[str], focus: int) -> Chart:
    """Draw a point for each channel of one image: the squeeze descriptor z across, the excitation weight s up.

    Raises:
        ValueError: the gate has no z; see ``s_by_channel``.
    """
    gate, s = gate_capture.gate, gate_capture.s[focus]
    if gate_capture.z is None:
        raise ValueError(f"{gate.name} has no z: s was not seen to come from one squeeze of U alone.")
    z = gate_capture.z[focus]
    squeeze = f"z, {_SQUEEZES.get(gate.squeeze, 'squeeze')} of U over its pixels"
    figure = _points(gate_capture, z, focus, "from squeeze to excitation", squeeze, "<br>z = %{x}")
    correlation = _correlation(z, s)
    return Chart(
        name=f"z_against_s_{gate.name}",
        figure=figure,
        alt=(
            f"Scatter of {len(z)} channels of {gate.name} for {images[focus]}: z {ends(z)}, s {ends(s)}, {correlation}."
        ),
        how_to_read=(
            "Each point is a channel: the descriptor z across, the weight s up. If s of a channel depended only on its "
            "own z, the points would lie on a curve. A cloud means that the gate combines channels in its bottleneck. "
            f"Here: {correlation}."
        ),
    )


def _points(gate_capture: GateCapture, across: AnyFloats, focus: int, title: str, x: str, hovered: str) -> go.Figure:
    """Draw points of s (C,) of one image over numbers (C,)."""
    s = gate_capture.s[focus]
    low, high = s_range(gate_capture)
    layout = frame(f"{gate_capture.gate.name}: {title}", x, "s, weight of the channel", 328)
    pad = (high - low) * 0.03
    layout["yaxis"]["range"] = [low - pad, high + pad]
    say_lost(layout, np.where(np.isfinite(across), s, np.float32("nan")), "points")
    return go.Figure(
        go.Scatter(
            x=drawable(across),
            y=drawable(s),
            customdata=np.arange(len(s)),
            mode="markers",
            marker={"color": ACCENT, "size": 6, "opacity": 0.8},
            xhoverformat=".3f",
            yhoverformat=".3f",
            hovertemplate=f"channel %{{customdata}}{hovered}<br>s = %{{y}}<extra></extra>",
        ),
        layout,
    )


def distribution(gate_capture: GateCapture, images: Sequence[str], focus: int) -> Chart:
    """Draw the distribution of s over the channels: the image in focus as bars, all images as a line."""
    gate, s = gate_capture.gate, gate_capture.s
    low, high = s_range(gate_capture)
    edges = np.linspace(low, high, _BINS + 1)
    middle = (edges[:-1] + edges[1:]) / 2
    share, mean = _shares(s[focus], edges), drawable(s[focus]).mean(dtype=np.float64)
    broken = f" {lost(s[focus])} and not drawn." if lost(s[focus]) else ""
    layout = frame(f"{gate.name}: distribution of s", "s, weight of the channel", "channels, %", 328)
    layout["bargap"] = 0.05
    if len(s) > 1:
        layout["margin"]["t"] = 68  # on a phone the title fills the width, and the legend is below it
    else:
        layout["height"] -= 24  # one image has no legend
    layout["xaxis"]["range"] = [low, high]
    say_lost(layout, s)
    guide = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "line": {"color": MUTED, "dash": "dot", "width": 1}}
    layout["shapes"] = [{"x0": mark, "x1": mark, **guide} for mark in (CLOSE, 1 - CLOSE)]
    traces: list[go.Bar | go.Scatter] = [
        go.Bar(
            x=middle,
            y=share,
            marker={"color": ACCENT},
            name="this image",
            xhoverformat=".2f",
            yhoverformat=".1f",
            hovertemplate="s ≈ %{x}: %{y}%<extra></extra>",
        )
    ]
    if len(s) > 1:
        all_images = _shares(s, edges)
        traces.append(
            go.Scatter(
                x=middle,
                y=all_images,
                mode="lines",
                line={"color": MUTED, "width": 2, "shape": "hvh"},
                name=f"all {len(s)} images",
                yhoverformat=".1f",
                hovertemplate="all: %{y}%<extra></extra>",
            )
        )
    figure = go.Figure(traces, layout)
    return Chart(
        name=f"distribution_{gate.name}",
        figure=figure,
        alt=(
            f"Histogram of s over {s.shape[1]} channels of {gate.name} for {images[focus]}: "
            f"mean {number(mean)}, {(np.abs(s[focus]) < CLOSE).mean():.0%} within {CLOSE} of 0, "
            f"{(np.abs(s[focus] - 1) < CLOSE).mean():.0%} of 1.{broken}"
        ),
        how_to_read=(
            "The height of a bar is the share of the channels with that weight. A peak near 1: most channels pass "
            "unchanged. Near 0: most are suppressed. A narrow peak between: all channels get the same weight. The "
            f"dotted lines are {CLOSE} and {1 - CLOSE}, where near 0 ends and near 1 begins.{broken}"
        ),
    )


def _shares(s: Float32s, edges: AnyFloats) -> Floats:
    """Return the per cent of s in each bin; s outside the range is in the outermost bins, NaN and infinity in none."""
    return np.histogram(np.clip(s[np.isfinite(s)], edges[0], edges[-1]), edges)[0] / s.size * 100


def _correlation(z: AnyFloats, s: AnyFloats) -> str:
    if not (np.isfinite(z).all() and np.isfinite(s).all()):
        return "z or s is NaN or infinite in some channels, which are not drawn"
    z, s = z.astype(np.float64), s.astype(np.float64)
    if z.std() > 0 and s.std() > 0:
        return f"correlation {signed(np.corrcoef(z, s)[0, 1], '.2f')}"
    return "z or s is the same in all channels"
