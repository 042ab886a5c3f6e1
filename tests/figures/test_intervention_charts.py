"""Charts of interventions: their numbers, their words, and numbers that cannot be drawn."""

import json
from dataclasses import replace

import numpy as np
import pytest
from plotly.colors import hex_to_rgb

from se_viz.demo.paired_comparison import Change, points
from se_viz.figures import palette
from se_viz.figures.ablation_changes import accuracy_changes
from se_viz.figures.before_and_after import before_and_after
from se_viz.figures.channel_attribution import channel_attribution
from se_viz.figures.chart import Chart
from se_viz.figures.faithfulness_curves import faithfulness_curves
from se_viz.figures.gate_effects import gate_changes, gate_probabilities
from se_viz.gates.capture import GateCapture
from se_viz.interventions.bundled_ablations import bundled_ablation
from se_viz.interventions.faithfulness import ORDERS, Curves, Faithfulness

GATES = ("SE_2_1", "SE_2_2", "SE_3_1")
WORDS = {"1": "s := 1", "mean": "s := mean", "other image": "s of <b>.jpg"}
CHANGES = {edit: np.array([0.1, -2.0, 0.3]) * place for place, edit in enumerate(WORDS, 1)}


@pytest.fixture
def gate_capture(captured) -> GateCapture:
    return captured["SE_5_2"]


def curves() -> Faithfulness:
    line = np.linspace(1, 0, 5)[None]
    return Faithfulness(
        "SE_5_2",
        np.array([3]),
        np.arange(5),
        {order: Curves(1 - line, line) for order in ORDERS},
        (np.zeros(1), np.zeros(1)),
    )


def all_charts(gate_capture: GateCapture) -> list[Chart]:
    values = np.linspace(-1, 1, gate_capture.s.shape[1])
    return [
        gate_changes(GATES, CHANGES, WORDS, "tench", "logit", "SE_2_2"),
        gate_probabilities(
            GATES, {edit: abs(one) / 7 for edit, one in CHANGES.items()}, 0.55, WORDS, "tench", "SE_2_2"
        ),
        channel_attribution(gate_capture, values, values * 0 + 0.3, [767, 0, 3], "tench", "exact"),
        faithfulness_curves(curves(), "tench", "logit", "the mean of s"),
        before_and_after(["tench", "church"], np.array([0.55, 0.1]), np.array([0.2, 0.4]), "probability, %"),
    ]


def test_every_chart_has_a_title_axes_words_and_a_name_for_files(gate_capture):
    for chart in all_charts(gate_capture):
        assert chart.figure.layout.title.text
        marked = chart.figure.layout.xaxis.title.text or chart.figure.layout.annotations[0].text
        assert marked
        assert "tench" in chart.alt
        assert len(chart.how_to_read) > 60
        assert chart.name.replace("_", "").isalnum()
        assert "NaN" not in json.dumps(chart.figure.to_plotly_json(), default=lambda array: array.tolist())


def test_bars_are_the_changes_and_say_the_extremes():
    chart = gate_changes(GATES, CHANGES, WORDS, "tench", "logit", "SE_2_2")
    for trace, (edit, values) in zip(chart.figure.data, CHANGES.items(), strict=True):
        np.testing.assert_array_equal(trace.y, values)
        assert tuple(trace.x) == GATES
        assert trace.marker.color == palette.EDITS[edit]
        assert "<b>" not in trace.hovertemplate
    assert "s := 1 from -2.00 (SE_2_2) to +0.30 (SE_3_1)" in chart.alt
    marked = chart.figure.layout.shapes[0]
    assert (marked.x0, marked.x1) == (0.5, 1.5)


def test_numbers_that_are_not_finite_are_not_drawn():
    broken = {"1": np.array([np.nan, np.inf, 0.5])}
    chart = gate_changes(GATES, broken, WORDS, "tench", "logit", "SE_2_1")
    assert np.isnan(chart.figure.data[0].y[:2]).all()
    nothing = gate_changes(GATES, {"1": np.full(3, np.nan)}, WORDS, "tench", "logit", "SE_2_1")
    assert "s := 1 NaN or infinite" in nothing.alt


def test_attribution_is_signed_by_colour_and_its_maps_are_u_above_x(gate_capture):
    values = np.linspace(-1, 1, 768)
    chart = channel_attribution(gate_capture, values, None, [767, 0], "tench", "exact")
    low, high = chart.figure.layout.yaxis2.range
    assert (low, high) == (-0.05, 1.05)  # the range of a sigmoid, whatever the weights are
    bars, weights, maps = chart.figure.data
    np.testing.assert_allclose(bars.y, [1, -1])
    assert tuple(bars.marker.color) == (palette.POSITIVE, palette.NEGATIVE)
    np.testing.assert_array_equal(weights.y, gate_capture.s[0, [767, 0]])
    u, x = gate_capture.u[0, 767], gate_capture.x[0, 767]
    reach = max(abs(u).max(), abs(x).max())
    factor = 16 // u.shape[0]
    side = factor * u.shape[0]
    np.testing.assert_allclose(maps.z[:side:factor, :side:factor], u / reach, atol=0.006)
    below = side + max(1, side // 10)
    np.testing.assert_allclose(maps.z[below : below + side : factor, :side:factor], x / reach, atol=0.006)


def test_without_maps_there_are_bars_and_weights_only(gate_capture):
    bare = GateCapture(gate_capture.gate, gate_capture.z, gate_capture.s)
    chart = channel_attribution(bare, np.ones(768), None, [1], "tench", "exact")
    assert [trace.type for trace in chart.figure.data] == ["bar", "scatter"]
    assert chart.figure.layout.xaxis.anchor == "y2"


@pytest.mark.filterwarnings("error")
def test_maps_that_are_not_finite_are_left_empty(gate_capture):
    u = gate_capture.u[:1].copy().repeat(16, axis=2).repeat(16, axis=3)
    u[0, 0], u[0, 1, 0, :2] = np.nan, (np.inf, -np.inf)
    one = replace(gate_capture, s=gate_capture.s[:1], u=u, x=u)
    chart = channel_attribution(one, np.ones(768), None, [0, 1, 2], "tench", "exact")
    tiles = np.split(chart.figure.data[-1].z, 3, axis=1)
    assert np.isnan(tiles[0]).all()
    assert [np.nanmax(np.abs(tile)) for tile in tiles[1:]] == [1, 1]


def test_the_curve_of_random_orders_is_the_grey_one():
    chart = faithfulness_curves(curves(), "tench", "logit", "1")
    lines = {trace.name: trace for trace in chart.figure.data}
    assert lines["random (control)"].line.color == palette.MUTED
    assert len({trace.line.dash for trace in lines.values()}) == 4
    assert "random (control) 0.50 and 0.50" in chart.alt


def test_bars_of_equal_short_names_stay_apart():
    names = ["a class with a very long name, one", "a class with a very long name, one"]
    chart = before_and_after(names, np.array([1.0, 2.0]), np.array([3.0, 4.0]), "output")
    assert len(set(chart.figure.data[0].y)) == 2


def test_colours_of_edits_differ_for_readers_who_do_not_see_red_or_green():
    # Deuteranopia in linear RGB, by Machado et al. (2009).
    deutan = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    )

    def seen(colour: str) -> np.ndarray:
        c = np.array(hex_to_rgb(colour)) / 255
        linear = np.clip(deutan @ np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4), 0, 1)
        xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
        f = np.cbrt(xyz / np.array([0.9505, 1, 1.089]))
        return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

    colours = [seen(colour) for colour in palette.EDITS.values()]
    for place, one in enumerate(colours):
        for other in colours[place + 1 :]:
            assert np.linalg.norm(one - other) >= 15


def test_changes_of_accuracy_are_written_as_in_sentences():
    rows = bundled_ablation("demo/r16").by("stage")
    row = replace(rows[0], where="stage <b>2</b>", change=Change(-0.00001, -0.0123, 0.0004))
    chart = accuracy_changes("accuracy_by_stage", "Change", "gates", (row, *rows[1:]))
    assert f"{row.name} 0.0 (−1.2 to 0.0); {rows[1].name} " in chart.alt
    first = chart.figure.data[0].customdata[0]
    assert first.startswith("stage &lt;b&gt;2&lt;/b&gt;: ")
    assert first.endswith(": 0.00 points")
    assert chart.figure.layout.xaxis.ticktext[0] == "stage &lt;b&gt;2&lt;/b&gt;"
    for trace in chart.figure.data:
        assert all(points(value / 100, digits=2) in text for value, text in zip(trace.y, trace.customdata, strict=True))
