"""Sizes of figures for print and slides: the width in inches, and text that can be read at that width."""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import plotly.graph_objects as go

from se_viz.figures.chart import Chart
from se_viz.figures.row_thumbnails import keep_beside
from se_viz.figures.svg_font import COMMON

PresetName: TypeAlias = Literal["column", "double", "slide"]

PIXELS = 96  # to the inch, as SVG and PDF count them
_SCREEN_TEXT = 12  # px of a figure on the page; the heights of figures are made for it
_WALL_TEXT = 20  # px of a figure in a presentation
_WALL_MARGIN = 24  # px more above it, for its title
_TITLE = 36  # px above a figure on the page that its title takes
_BELOW = 68  # px above and below the rows of a heatmap on the page, without its title


@dataclass(frozen=True, slots=True)
class Preset:
    """Size of a saved figure.

    Attributes:
        label: the size in words.
        width: inches.
        text: size of the smallest text, in points of 1/72 inch.
        height: inches; None for a height in proportion to the text.
    """

    label: str
    width: float
    text: float
    height: float | None = None


PRESETS: dict[PresetName, Preset] = {
    "column": Preset("one column, 3.5 in", 3.5, 7),
    "double": Preset("two columns, 7 in", 7.0, 8),
    "slide": Preset("slide, 16:9", 40 / 3, 16, 7.5),
}


def fitted(figure: go.Figure, preset: Preset) -> go.Figure:
    """Return a figure at the size of a preset: without a title, and no text smaller than the preset's.

    The caption of a paper has the title, and the metadata of the file have it, too.
    """
    smallest = preset.text / 72 * PIXELS
    spec = json.loads(figure.to_json())
    layout = spec["layout"]
    titled = bool(layout.pop("title", {}).get("text"))
    _raise_fonts(spec, smallest)
    layout["font"] = {
        **layout.get("font", {}),
        "size": smallest,
        "family": COMMON,
        "color": "#111",
    }
    margin = layout.setdefault("margin", {})
    if titled:
        margin["t"] = max(8, margin.get("t", 44) - _TITLE)
    grown = smallest / _SCREEN_TEXT
    height = (layout.get("height") or 450) - (_TITLE if titled else 0)
    layout["width"] = round(preset.width * PIXELS)
    layout["height"] = round(preset.height * PIXELS if preset.height else max(height * grown, 1.4 * PIXELS))
    keep_beside(layout, (layout["height"] - _BELOW * grown) / max(1, height - _BELOW))
    return go.Figure(spec)


def presented(chart: Chart) -> Chart:
    """Return a chart for a wall: no text below 20 px, and as much higher as its text is larger.

    The page's theme has a size for each kind of text, so each kind is named here.
    """
    spec = json.loads(chart.figure.to_json())
    layout = spec["layout"]
    _raise_fonts(spec, _WALL_TEXT)
    large = {"size": _WALL_TEXT}
    axes = [part for name, part in layout.items() if re.match(r"[xy]axis", name)]
    bars = [
        part["colorbar"] for part in (*spec["data"], *layout.values()) if isinstance(part, dict) and "colorbar" in part
    ]
    for part in (*axes, *bars):
        part["tickfont"] = part.get("tickfont", {}) | large
        title = part.get("title", {})
        part["title"] = title | {"font": title.get("font", {}) | large}
    layout["font"] = layout.get("font", {}) | large
    for name in ("legend", "hoverlabel"):
        layout[name] = layout.get(name, {}) | {"font": layout.get(name, {}).get("font", {}) | large}
    grown = _WALL_TEXT / _SCREEN_TEXT
    layout["height"] = round((layout.get("height") or 450) * grown)
    keep_beside(layout, grown)
    margin = layout.setdefault("margin", {})
    margin["t"] = margin.get("t", 44) + _WALL_MARGIN
    return replace(chart, figure=go.Figure(spec))


def _raise_fonts(part: Any, smallest: float) -> None:  # noqa: ANN401 - a part of a figure's JSON
    """Raise the sizes of all fonts of a figure's JSON to the smallest one; markup that makes text small is dropped."""
    if isinstance(part, list):
        for one in part:
            _raise_fonts(one, smallest)
    if not isinstance(part, dict):
        return
    for name, value in part.items():
        if name.endswith("font") and isinstance(value, dict) and isinstance(value.get("size"), int | float):
            value["size"] = max(value["size"], smallest)
        if isinstance(value, str) and "<su" in value:
            part[name] = re.sub(r"</?su[bp]>", "", value)
        _raise_fonts(value, smallest)
