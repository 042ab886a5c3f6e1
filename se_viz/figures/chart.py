"""A figure with what a person needs to read it."""

from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from se_viz.figures.palette import MUTED


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, named for files, with a text for those who cannot see it and a lesson for those new to it.

    Attributes:
        name: for file names: letters, digits, underscores.
        figure: the plotly figure; its title says what it shows.
        alt: what there is to see, in words with numbers.
        how_to_read: a sentence or three for a beginner.
    """

    name: str
    figure: go.Figure
    alt: str
    how_to_read: str


def frame(title: str, x: str, y: str, height: int) -> dict[str, Any]:
    """The common layout: a title at the left, named axes, thin margins, room for the page's own fonts and ground.

    A dict, to be completed before plotly checks it once: plotly takes milliseconds for every change of a figure.
    """
    axis = {"automargin": True, "zeroline": False, "gridcolor": "rgba(126,135,146,0.25)", "linecolor": MUTED}
    return {
        "title": {
            **{"text": title, "font": {"size": 15}, "pad": {"l": 4, "t": 12}},
            **{"x": 0, "xref": "container", "y": 1, "yref": "container", "yanchor": "top"},
        },
        "xaxis": {"title": {"text": x, "standoff": 6}, **axis},
        "yaxis": {"title": {"text": y, "standoff": 16}, **axis},
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 44, "b": 8},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 1, "xanchor": "right"},
        "hoverlabel": {"align": "left"},
        "template": "none",  # the page brings its own; a named one costs 20 ms a chart
    }


def room_for_legend(layout: dict[str, Any], names: int) -> None:
    """Keep the legend below the title on a phone, where it has two names in a row; the chart grows by what it takes."""
    layout["margin"]["t"] = max(84, 44 + 20 * -(-names // 2))
    layout["height"] += layout["margin"]["t"] - 84


def label(name: str, length: int = 18) -> str:
    """A file's name cut to fit an axis, with its beginning and end, and with nothing plotly would take for markup."""
    return escape(name if len(name) <= length else f"{name[: length - 8]}…{name[-7:]}", quote=False)
