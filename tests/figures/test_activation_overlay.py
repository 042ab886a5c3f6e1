"""The overlay of class-activation maps."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from se_viz.figures.activation_overlay import activation_overlay
from se_viz.interventions.cam import ClassActivation


def maps(u, x):
    return ClassActivation("SE_5_2", np.array([3]), np.array([u], np.float32), np.array([x], np.float32))


def tiles(chart):
    source = chart.figure.data[0].source
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


def test_both_maps_share_one_scale_and_lie_where_they_speak():
    grey = Image.new("RGB", (96, 96), (90, 90, 90))
    chart = activation_overlay(maps([[0, 0], [0, 2]], [[4, 0], [0, -8]]), 0, "cat", grey, "chain saw")
    marker = chart.figure.data[1].marker
    assert (marker.cmin, marker.cmax) == (0, 4)
    assert marker.colorbar.title.text == "speaks for<br>chain saw"
    canvas = tiles(chart)
    pitch = 96 + 6
    image, u, x = (canvas[:, start : start + 96].mean(axis=2) for start in (0, pitch, 2 * pitch))
    assert abs(image[4:-4, 4:-8] - 90).max() < 4
    assert u[:30, :30].mean() < u[-30:, -30:].mean()  # the corner that speaks is lighter
    assert x[-30:, -30:].mean() < x[:30, :30].mean()  # what speaks against is dark
    assert x[:10, :10].mean() > u[-10:, -10:].mean()  # 4 is lighter than 2
    assert "2 × 2 numbers each: U most at row 2, column 2 (2); X̃ most at row 1, column 1 (4)." in chart.alt
    assert list(chart.figure.layout.xaxis.ticktext) == ["image", "U", "X̃ = s·U"]


@pytest.mark.filterwarnings("error")
def test_maps_that_are_not_finite_are_said_in_words():
    grey = Image.new("RGB", (96, 96), (90, 90, 90))
    nowhere = [[np.nan, np.inf], [-np.inf, np.nan]]
    chart = activation_overlay(maps([[1, 0], [np.nan, 2]], nowhere), 0, "cat", grey, "tench")
    assert chart.figure.layout.xaxis.title.text == "5 of 8 values are NaN or infinite: not drawn"
    assert "U most at row 2, column 2 (2); X̃ is NaN or infinite everywhere." in chart.alt
    assert chart.figure.data[1].marker.cmax == 2
    chart = activation_overlay(maps(nowhere, nowhere), 0, "cat", grey, "tench")
    assert chart.figure.layout.annotations[0].text == "8 of 8 values are NaN or infinite:<br>nothing to draw"
    huge = [[3e38, -3e38], [1e-45, 0]]
    assert activation_overlay(maps(huge, huge), 0, "cat", grey, "tench").figure.data[1].marker.cmax > 2e38


def test_maps_that_speak_nowhere_or_are_not_finite_are_drawn():
    grey = Image.new("RGB", (300, 200))
    chart = activation_overlay(maps([[-1, 0], [0, 0]], [[np.nan, np.inf], [1, 0]]), 0, "<b>", grey, "a<b>c")
    assert "U speaks for it nowhere; X̃ most at row 2, column 1 (1)." in chart.alt
    assert "a&lt;b&gt;c" in chart.figure.layout.title.text
    assert tiles(chart).shape == (149, 3 * (224 + 14), 3)
