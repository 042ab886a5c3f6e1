import colorsys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from plotly.colors import hex_to_rgb

from se_viz.figures import palette

ROOT = Path(__file__).parents[2]


def lightness(colour):
    """Relative luminance by WCAG."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(hex_to_rgb(colour)) / 255]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_the_page_has_the_same_colours():
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"]
    assert tuple(theme["chartSequentialColors"]) == palette.SEQUENTIAL
    assert tuple(theme["chartDivergingColors"]) == palette.DIVERGING
    assert theme["chartCategoricalColors"][0] == palette.ACCENT
    assert theme["light"]["primaryColor"] == palette.ACCENT


def test_sequential_reads_without_hue():
    steps = np.diff([lightness(colour) for colour in palette.SEQUENTIAL])
    assert (steps > 0).all()


def test_diverging_is_palest_in_the_middle_and_its_ends_differ_in_blue_against_yellow():
    values = [lightness(colour) for colour in palette.DIVERGING]
    assert (np.diff(values[:5]) > 0).all()
    assert (np.diff(values[5:]) < 0).all()
    hues = [colorsys.rgb_to_hsv(*np.array(hex_to_rgb(palette.DIVERGING[end])) / 255)[0] * 360 for end in (0, -1)]
    # Red-green blindness spares the axis from blue (about 240°) to yellow and orange (about 20°–60°).
    assert hues[0] == pytest.approx(220, abs=30)
    assert hues[1] == pytest.approx(30, abs=20)
