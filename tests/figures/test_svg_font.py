"""The font in an SVG: the characters that are drawn, with the notices of its licence."""

import io
import re
from base64 import b64decode

import pytest

from se_viz.figures import svg_font
from se_viz.figures.svg_font import COMMON, families, font_file, with_font

TTLib = pytest.importorskip("fontTools.ttLib")

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9"><text>X̃ = s · U &amp; η²</text></svg>'.encode()
FACE = r"@font-face\{font-family:'DejaVu Sans';src:url\(data:font/woff;base64,([^)]+)\)\}"


def embedded(svg):
    """Return the font in an SVG."""
    (found,) = re.findall(FACE, svg.decode())
    return TTLib.TTFont(io.BytesIO(b64decode(found)))


@pytest.mark.slow
def test_an_svg_gets_the_characters_of_its_texts_and_no_others():
    found = with_font(SVG, font_file())
    assert found.endswith(SVG[SVG.index(b"<text>") :])
    assert set(map(chr, embedded(found).getBestCmap())) == set("X̃ = s · U & η²")
    assert len(found) < 12_000
    assert found == with_font(SVG, font_file())


def test_the_embedded_font_keeps_the_notices_of_its_licence():
    names = {record.nameID: str(record) for record in embedded(with_font(SVG, font_file()))["name"].names}
    assert "Copyright (c) 2003 by Bitstream, Inc." in names[0]
    assert "Permission is hereby granted, free of charge" in names[13]
    assert not {"Bitstream", "Vera"} & set(names[1].split())  # a changed font must have another name


def test_without_matplotlib_common_fonts_are_named(monkeypatch):
    assert families() == f"DejaVu Sans, {COMMON}"
    font_file.cache_clear()
    monkeypatch.setattr(svg_font, "find_spec", lambda _name: None)
    assert font_file() is None
    assert families() == COMMON
    font_file.cache_clear()
