"""Charts of gates with NaN or infinite values draw the rest, and say what is missing."""

import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from se_viz.figures.gate_scatter import distribution, excitation
from se_viz.figures.heatmap import attention_heatmap, deviation_heatmap
from se_viz.figures.maps import overlay_maps, recalibrated_maps

NAMES = [f"{index}.jpg" for index in range(5)]


def spoilt(captured, value, rows):
    gate_capture = captured["SE_5_2"]
    z, s, u, x = (array.copy() for array in (gate_capture.z, gate_capture.s, gate_capture.u, gate_capture.x))
    for array in (z, s, u, x):
        array[rows] = value
    return replace(gate_capture, z=z, s=s, u=u, x=x)


def drawn(gate_capture, focus):
    cut = Image.new("RGB", (128, 128))
    return [
        attention_heatmap(gate_capture, NAMES, focus=focus),
        deviation_heatmap(gate_capture, np.full(gate_capture.gate.channels, 0.5), NAMES, focus=focus),
        excitation(gate_capture, NAMES, focus),
        distribution(gate_capture, NAMES, focus),
        recalibrated_maps(gate_capture, focus, range(8), NAMES[focus]),
        overlay_maps(gate_capture, focus, range(8), NAMES[focus], cut),
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("rows", [slice(None), [0]])
@pytest.mark.parametrize("focus", [0, 1])
def test_every_chart_can_be_drawn_and_writes_no_nan(captured, value, rows, focus):
    gate_capture = spoilt(captured, value, rows)
    ordered = [attention_heatmap(gate_capture, NAMES, order, focus) for order in ("mean", "variance", "similarity")]
    for chart in [*drawn(gate_capture, focus), *ordered]:
        words = f"{chart.alt} {chart.how_to_read} {chart.figure.layout.to_plotly_json()}"
        assert not re.search(r"\b(nan|inf)\b", words)
        assert chart.figure.to_json()


def test_what_is_missing_is_said_in_the_chart(captured):
    nothing = drawn(spoilt(captured, np.nan, slice(None)), 0)
    assert all("nothing to draw" in chart.figure.layout.annotations[0].text for chart in nothing)
    some = drawn(spoilt(captured, np.inf, [0]), 0)
    for chart in (some[0], some[1], some[3]):
        assert chart.figure.layout.xaxis.title.text.endswith("; not drawn: NaN, infinite")
        assert not chart.figure.layout.annotations
    heatmap = some[0].figure.data[0].z
    assert np.isnan(heatmap[0]).all()
    assert np.isfinite(heatmap[1:]).all()


def test_nothing_is_said_of_finite_ones(captured):
    for chart in drawn(captured["SE_5_2"], 0):
        assert not chart.figure.layout.annotations
        assert "NaN" not in chart.alt
