"""Export of figures to files."""

from contextlib import nullcontext
from functools import cache
from importlib import import_module
from typing import Any, Literal, TypeAlias

import plotly.graph_objects as go
from plotly.io import templates, to_html

from se_viz.extras import missing
from se_viz.figures.drawing import Browser, one_browser
from se_viz.figures.export_presets import PIXELS, PRESETS, PresetName, fitted
from se_viz.figures.provenance import Provenance, with_metadata
from se_viz.figures.svg_font import families, font_file, with_font

Format: TypeAlias = Literal["png", "svg", "pdf", "html"]

WIDTH = 1100  # width of a saved image, in pixels
_DPI = 300  # of a PNG for print
_NO_BROWSER = "PNG, SVG and PDF files are drawn by Chrome or Chromium, and this machine has none. Save as HTML instead."


class CannotDraw(RuntimeError):
    """Raised if an image cannot be drawn; the message says what is missing."""


@cache
def why_not_drawn() -> str:
    """Return why this machine cannot draw PNG and SVG files (kaleido or a browser is missing), or ""."""
    try:
        import_module("kaleido")
        from choreographer.browsers.chromium import Chromium
    except ImportError as error:
        return f"{missing('Drawing PNG, SVG and PDF files', error, 'export')} Or save as HTML."
    return "" if Chromium.find_browser(skip_local=False) else _NO_BROWSER


def figure_bytes(
    figure: go.Figure,
    kind: Format,
    preset: PresetName | None = None,
    *,
    name: str = "",
    provenance: Provenance | None = None,
    browser: Browser | None = None,
) -> bytes:
    """Return a figure as PNG, SVG, PDF, or one HTML file that works offline.

    A PDF contains its fonts, and an SVG those characters of DejaVu Sans that it draws, if matplotlib is installed (with
    the extra ``attribution``); without it an SVG names common fonts.

    Args:
        figure: the figure.
        kind: the format.
        preset: size for print or a slide, without the title; PNG then has 300 dpi, otherwise twice the screen's
            resolution. HTML files adapt to their window, and have no preset.
        name: name of the chart, for the metadata.
        provenance: what the metadata of PNG, SVG and PDF say of model and images.
        browser: draws PNG, SVG and PDF (default: one that is started for this figure).

    Raises:
        CannotDraw: PNG, SVG and PDF need the extra ``export``, and Chrome or Chromium on this machine.
    """
    if kind == "html":
        written = _in_template(figure, "plotly_white", dragmode="zoom")
        return str(to_html(written, validate=False, include_plotlyjs=True, config={"displaylogo": False})).encode()
    figure = go.Figure(figure).update_layout(template="plotly_white", dragmode="zoom")
    if why_not_drawn():
        raise CannotDraw(why_not_drawn())
    if preset:
        figure = fitted(figure, PRESETS[preset])
    scale = 1.0 if kind != "png" else _DPI / PIXELS if preset else 2.0
    width, height = figure.layout.width if preset else WIDTH, figure.layout.height
    options = {"format": kind, "width": width, "height": height, "scale": scale}
    font = font_file() if kind == "svg" else None
    if kind == "svg":
        figure.update_layout(font_family=families())
    try:
        with nullcontext(browser) if browser else one_browser() as drawing:
            drawn = drawing.draw(figure.to_dict(), options)
    except Exception as error:  # kaleido raises the exceptions of its browser
        raise CannotDraw(
            f"The browser that draws {kind.upper()} files failed ({error}). Save as HTML instead."
        ) from error
    if kind == "svg" and preset:  # inches, so that programs place it at its size
        drawn = drawn.replace(b'width="%d"' % width, b'width="%gin"' % (width / PIXELS), 1)
        drawn = drawn.replace(b'height="%d"' % height, b'height="%gin"' % (height / PIXELS), 1)
    drawn = with_font(drawn, font) if font else drawn
    return with_metadata(drawn, kind, (provenance or Provenance()).fields(name), scale * PIXELS)


def figure_fragment(figure: go.Figure, *, script: bool, identity: str | None = None, clear: bool = False) -> str:
    """Return a figure as a part of an HTML page that sends no requests.

    Args:
        figure: the figure.
        script: whether to include plotly's script (4.6 MB), which a page needs once, in its first figure.
        identity: id of the element (default: a random one).
        clear: whether the background of the page shows through; otherwise it is white.
    """
    see_through = {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"} if clear else {}
    written = _in_template(figure, "none", **see_through)
    config = {"displayModeBar": False, "responsive": True}
    return str(
        to_html(written, validate=False, full_html=False, include_plotlyjs=script, config=config, div_id=identity)
    )


def _in_template(figure: go.Figure, template: str, **layout: str) -> dict[str, Any]:
    """Return a figure as plotly writes it, in one of plotly's templates and with changes of its layout.

    ``update_layout`` checks every entry of the template again, which takes most of the time of writing a file.
    """
    written: dict[str, Any] = figure.to_dict()
    written["layout"] |= {"template": _template(template)} | layout
    return written


@cache
def _template(name: str) -> dict[str, Any]:
    found: dict[str, Any] = templates[name].to_plotly_json()
    return found
