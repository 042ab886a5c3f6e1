"""Copies of an image side by side, coloured by maps, with the colour scale of these maps."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from PIL import Image
from plotly.basedatatypes import BaseTraceType
from plotly.colors import hex_to_rgb

from se_viz.figures.palette import SEQUENTIAL, scale
from se_viz.types import Float32s

# The bar has a fixed length and is anchored at the top, so that it stays beside the tiles when they shrink.
BAR = {"thickness": 10, "lenmode": "pixels", "len": 150, "y": 1, "yanchor": "top"}


def image_tiles(
    rows: Sequence[Sequence[Image.Image]], pitch: int, size: tuple[int, int], reach: float, title: str
) -> list[BaseTraceType]:
    """Return the traces of a grid of images: one image of all of them, and a colour bar from 0 to ``reach``.

    Args:
        rows: the rows of the grid.
        pitch: pixels from one tile to the next, across and down.
        size: width and height of the grid in pixels.
        reach: the number that has the last colour.
        title: title of the colour bar.
    """
    canvas = Image.new("RGBA", size)
    for down, row in enumerate(rows):
        for across, tile in enumerate(row):
            canvas.paste(tile, (across * pitch, down * pitch))
    out = io.BytesIO()
    canvas.save(out, "WEBP", quality=85)
    source = f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"
    # An image trace has no colour bar, so an invisible point carries it.
    bar = go.Scatter(
        x=[None],
        y=[None],
        showlegend=False,
        marker={
            "color": [0],
            "cmin": 0,
            "cmax": reach,
            "colorscale": scale(SEQUENTIAL),
            "colorbar": {"title": {"text": title}, **BAR},
            "showscale": True,
        },
    )
    return [go.Image(source=source, hoverinfo="skip"), bar]


def colour_over(image: Image.Image, strength: Float32s) -> Image.Image:
    """Return a grey copy of the image, coloured by a map of strengths, 0–1."""
    large = Image.fromarray(np.nan_to_num(strength)).resize(image.size, Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(large), 0, 1)[..., None]
    colours = np.array([hex_to_rgb(colour) for colour in SEQUENTIAL], dtype=np.float32)
    position = share[..., 0] * (len(colours) - 1)
    below = np.minimum(position.astype(int), len(colours) - 2)
    colour = colours[below] + (position - below)[..., None] * (colours[below + 1] - colours[below])
    grey = np.asarray(image.convert("L"), dtype=np.float32)[..., None] * 0.75
    opacity = 0.15 + 0.75 * share
    return Image.fromarray(np.uint8(grey * (1 - opacity) + colour * opacity))
