"""Class-activation maps of U and X̃ beside each other, laid over the image."""

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.image_tiles import colour_over, image_tiles
from se_viz.figures.not_finite import drawable, say_lost
from se_viz.interventions.cam import ClassActivation
from se_viz.types import Float32s

_SIDE = 224  # pixels of one tile
_TILES = ("image", "U", "X̃ = s·U")


def activation_overlay(activation: ClassActivation, focus: int, image: str, cut: Image.Image, target: str) -> Chart:
    """Return the maps of U and X̃ on one colour scale, over the image as the model sees it.

    Args:
        activation: the maps of one gate.
        focus: the image's index among them.
        image: its name.
        cut: the image, cut to the model's input.
        target: name of the class.
    """
    maps = drawable(np.stack([activation.u[focus], activation.x[focus]]))
    speaking = np.maximum(maps, 0)
    reach = float(np.nan_to_num(speaking).max()) or 1.0
    shown = cut.convert("RGB")
    shown.thumbnail((_SIDE, _SIDE))
    tiles = [shown, *(colour_over(shown, one / reach) for one in speaking)]
    pitch = shown.width + max(2, shown.width // 16)
    size = (pitch * len(tiles), shown.height)
    traces = image_tiles([tiles], pitch, size, reach, f"speaks for<br>{label(target, 14)}")
    layout = frame(f"{activation.gate}: where U and X̃ speak for {label(target, 22)} in {label(image, 22)}", "", "", 330)
    layout["xaxis"] |= {
        "tickvals": [shown.width / 2 + pitch * column for column in range(len(tiles))],
        "ticktext": list(_TILES),
        **{"side": "top", "tickangle": 0, "showgrid": False, "constrain": "domain"},
    }
    layout["yaxis"] |= {
        **{"showticklabels": False, "autorange": "reversed", "scaleanchor": "x", "constrain": "domain"},
        **{"constraintoward": "top", "showgrid": False},
    }
    layout["margin"]["t"] = 76
    say_lost(layout, maps, "values")
    height, width = maps.shape[1:]
    said = "; ".join(f"{name} {_peak(one)}" for name, one in zip(("U", "X̃"), maps, strict=True))
    return Chart(
        name=f"activation_{activation.gate}",
        figure=go.Figure(traces, layout),
        alt=f"Class-activation maps of {activation.gate} for {target} over {image}, "
        f"{height} × {width} numbers each: {said}.",
        how_to_read=(
            "Left: the image as the network sees it. Middle: where the maps U, before the gate, speak for the class "
            "(Grad-CAM). Right: the same of X̃, after it. A lighter and more opaque place supports the class more; both "
            "overlays share one scale, and places that speak against the class are left dark. A map weights each "
            "channel "
            f"by its mean gradient. It has {height} × {width} numbers, spread over the image, so it shows a place, not "
            "an outline."
        ),
    )


def _peak(values: Float32s) -> str:
    """Return where a map is largest, in words."""
    if not np.isfinite(values).any():
        return "is NaN or infinite everywhere"
    if not bool((values > 0).any()):
        return "speaks for it nowhere"
    row, column = np.unravel_index(int(np.nanargmax(values)), values.shape)
    return f"most at row {row + 1}, column {column + 1} ({values[row, column]:.2g})"
