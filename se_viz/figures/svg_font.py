"""The font of SVG files: DejaVu Sans, of which each file contains the characters that it draws.

The font file and fontTools come with matplotlib, which the extra ``attribution`` installs. The licence of the font,
that of Bitstream Vera, allows parts of it in documents; its notices stay in the embedded font. Without matplotlib an
SVG names common fonts, and the program that opens it draws with those that its machine has.
"""

import io
import re
from base64 import b64encode
from functools import cache
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

FONT_FAMILY = "DejaVu Sans"
COMMON = "Arial, Helvetica, sans-serif"

_NOTICES = [0, 1, 2, 13, 14]  # of the font's names: copyright, family, style, licence, address of the licence


@cache
def font_file() -> Path | None:
    """Return the file of the font, or None without matplotlib or fontTools."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None or find_spec("fontTools") is None:
        return None
    path = Path(found.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    return path if path.is_file() else None


def families() -> str:
    """Return the fonts of an SVG in the order of preference, as CSS."""
    return f"{FONT_FAMILY}, {COMMON}" if font_file() else COMMON


def drawing_page() -> Any:  # noqa: ANN401 - kaleido has no types
    """Return the page in which kaleido draws, with the font, so that texts are measured as they will be shown.

    MathJax is off: the page would download it from another host.
    """
    from kaleido import PageGenerator

    page, font = PageGenerator(mathjax=False), font_file()
    # A PDF is as large as the figure: kaleido's margins of 0.1 in would move it, and cut it off at the right and below.
    page.header = page.header.replace("<head>", "<head><style>@page {margin: 0}</style>")
    if font is None:
        return page
    # Text in the font makes the browser load it before the page counts as loaded.
    page.header = page.header.replace("<head>", f"<head><style>{_face(font.read_bytes(), 'ttf')}</style>")
    page.footer = page.footer.replace("</body>", f'<p style="font-family:{FONT_FAMILY};visibility:hidden">s</p></body>')
    return page


def with_font(svg: bytes, font: Path) -> bytes:
    """Return an SVG with the part of the font that its texts need, as WOFF in a data URL."""
    text = svg.decode()
    characters = "".join(map(unescape, re.findall(r">([^<]+)<", text)))
    start = text.index(">", text.index("<svg")) + 1
    style = f"<defs><style>{_face(_subset(font, characters), 'woff')}</style></defs>"
    return f"{text[:start]}{style}{text[start:]}".encode()


def _face(content: bytes, kind: str) -> str:
    return f"@font-face{{font-family:'{FONT_FAMILY}';src:url(data:font/{kind};base64,{b64encode(content).decode()})}}"


def _subset(font: Path, characters: str) -> bytes:
    """Return a font as WOFF with some of its characters; the same characters give the same bytes."""
    from fontTools import subset

    options = subset.Options(flavor="woff", name_IDs=_NOTICES, hinting=False, recalc_timestamp=False)
    options.drop_tables += ["FFTM"]  # the date of the font's editor
    part, out = subset.Subsetter(options), io.BytesIO()
    part.populate(text=characters)
    with subset.load_font(str(font), options) as loaded:
        part.subset(loaded)
        subset.save_font(loaded, out, options)
    return out.getvalue()
