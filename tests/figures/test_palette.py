import colorsys
import tomllib
from itertools import combinations
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
    assert tuple(theme["chartCategoricalColors"]) == palette.CLASSES
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


# Severe deuteranopia and protanopia in linear RGB (Machado, Oliveira & Fernandes 2009, severity 1).
_SEEN_WITH = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def lab(colour, seen_with):
    """CIE 1976 L*a*b* (D65) of a colour as a colour-blind reader sees it."""
    rgb = np.array(hex_to_rgb(colour)) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(_SEEN_WITH[seen_with]) @ linear, 0, 1)
    share = (_XYZ @ seen) / _XYZ.sum(axis=1)
    f = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one, other):
    """Contrast of two colours by WCAG, 1 to 21."""
    light, dark = sorted((lightness(one), lightness(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("seen_with", _SEEN_WITH)
@pytest.mark.parametrize("compared", [palette.CLASSES, (*palette.RATIOS, palette.YOURS)], ids=["classes", "ratios"])
def test_compared_lines_stay_apart_for_colour_blind_readers(seen_with, compared):
    for one, other in combinations(compared, 2):
        assert np.linalg.norm(lab(one, seen_with) - lab(other, seen_with)) >= 15, (one, other)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_compared_lines_stand_out_from_the_background(theme):
    background = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"][theme]["backgroundColor"]
    for colour in (*palette.CLASSES, *palette.RATIOS):
        assert contrast(colour, background) >= 3, colour


def test_the_colours_of_r_rise_in_lightness_with_r():
    assert (np.diff([lightness(colour) for colour in palette.RATIOS]) > 0).all()
    assert [palette.ratio_colour(r) for r in (2, 4, 8, 16, 32)] == list(palette.RATIOS)
    assert (palette.ratio_colour(1), palette.ratio_colour(64)) == (palette.RATIOS[0], palette.RATIOS[-1])
    between = lightness(palette.ratio_colour(6))
    assert lightness(palette.RATIOS[1]) < between < lightness(palette.RATIOS[2])


def test_a_colour_has_one_meaning():
    meanings = [*palette.CLASSES, *palette.RATIOS, palette.MUTED, palette.TILE, palette.POSITIVE, palette.NEGATIVE]
    assert len(set(meanings)) == len(meanings)


def test_every_compared_line_has_its_own_dashes():
    assert len(set(palette.DASHES)) == len(palette.CLASSES)
