"""Thumbnails of the images beside the rows of a heatmap."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from se_viz.data.thumbnail import data_url

_SIDE = 48  # pixels of a thumbnail: twice its size on the page
_LEAST = 16  # height of a row in pixels in which an image can be told from another
_GAP = 6  # pixels between a thumbnail and the plot, and the name


def row_thumbnail(rgb: Image.Image) -> str:
    """Return a thumbnail of an image as a data URL."""
    return data_url(rgb, _SIDE, square=True)


def beside_rows(layout: dict[str, Any], thumbnails: Sequence[str], rows_height: int) -> None:
    """Put thumbnails between the names of the rows and the heatmap, if the rows are high enough.

    They take the place of the axis title, which says what they show; the plot remains as wide.

    Args:
        layout: the layout of a heatmap with a row for each image.
        thumbnails: of each image a data URL, or nothing.
        rows_height: height of all rows in pixels.
    """
    if not thumbnails or rows_height / len(thumbnails) < _LEAST:
        return
    layout["yaxis"] |= {"title": None, "ticklabelstandoff": rows_height // len(thumbnails) + _GAP}
    layout["images"] = [
        {
            **{"source": source, "xref": "paper", "yref": "y", "x": -0.01, "y": row, "sizex": 0.6, "sizey": 0.92},
            **{"xanchor": "right", "yanchor": "middle", "sizing": "contain", "layer": "above"},
        }
        for row, source in enumerate(thumbnails)
    ]


def keep_beside(layout: dict[str, Any], grown: float) -> None:
    """Keep the names beside the thumbnails in a figure whose rows become ``grown`` times as high."""
    if layout.get("images"):
        axis = layout["yaxis"]
        axis["ticklabelstandoff"] = round(axis.get("ticklabelstandoff", 0) * grown)
