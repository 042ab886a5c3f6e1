"""A figure with the texts that explain it."""

from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from se_viz.figures.palette import MUTED


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with a name for files, a description for readers who cannot see it, and an explanation for beginners.

    Attributes:
        name: part of file names: letters, digits, underscores.
        figure: the plotly figure; its title says what it shows.
        alt: description of the figure in words and numbers.
        how_to_read: one to three sentences for a beginner.
    """

    name: str
    figure: go.Figure
    alt: str
    how_to_read: str


def frame(title: str, x: str, y: str, height: int) -> dict[str, Any]:
    """Return the common layout: a title at the left, axis titles, thin margins; fonts and background are the page's.

    It is a dict, to be completed before it is passed to plotly, which takes milliseconds for every change of a figure.
    """
    axis = {"automargin": True, "zeroline": False, "gridcolor": "rgba(126,135,146,0.25)", "linecolor": MUTED}
    return {
        "title": {
            **{"text": title, "font": {"size": 15}, "pad": {"l": 4, "t": 12}},
            **{"x": 0, "xref": "container", "y": 1, "yref": "container", "yanchor": "top"},
        },
        # Labels that do not fit lean to the left: the last one would be cut off at the right.
        "xaxis": {"title": {"text": x, "standoff": 6}, "autotickangles": [0, -45, -90], **axis},
        "yaxis": {"title": {"text": y, "standoff": 16}, **axis},
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 44, "b": 8},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 1, "xanchor": "right"},
        "hoverlabel": {"align": "left"},
        "dragmode": False,  # a swipe that begins on a chart scrolls the page; an exported HTML file zooms
        "template": "none",  # the page has its own template; a named one costs 20 ms for each chart
    }


def room_for_legend(layout: dict[str, Any], names: int) -> None:
    """Make room for a legend below the title on a phone, where it has two names in a row; the chart becomes higher."""
    layout["margin"]["t"] = max(84, 44 + 20 * -(-names // 2))
    layout["height"] += layout["margin"]["t"] - 84


def label(name: str, length: int = 18) -> str:
    """Return a file's name shortened in the middle to fit an axis, and escaped, so that plotly reads no markup."""
    return escape(name if len(name) <= length else f"{name[: length - 8]}…{name[-7:]}", quote=False)
