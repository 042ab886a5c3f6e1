import io
import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from choreographer.browsers.chromium import Chromium
from PIL import Image

from se_viz.figures import export
from se_viz.figures.chart import Chart
from se_viz.figures.export import CannotDraw, figure_bytes
from se_viz.figures.export_presets import presented
from se_viz.figures.gate_scatter import distribution, excitation, z_against_s
from se_viz.figures.heatmap import attention_heatmap, deviation_heatmap, s_range
from se_viz.figures.maps import overlay_maps, recalibrated_maps
from se_viz.figures.row_thumbnails import row_thumbnail
from se_viz.gates.capture import GateCapture

NAMES = [f"image {index}.jpg" for index in range(5)]
CUT = Image.new("RGB", (128, 128), (90, 120, 60))


def charts(captured) -> list[Chart]:
    gate_capture = captured["SE_5_2"]
    return [
        attention_heatmap(gate_capture, NAMES),
        attention_heatmap(gate_capture, NAMES, "similarity", 3),
        deviation_heatmap(gate_capture, gate_capture.s.mean(axis=0), NAMES, "variance", 3),
        z_against_s(gate_capture, NAMES, 1),
        distribution(gate_capture, NAMES, 1),
        recalibrated_maps(gate_capture, 0, [3, 5, 700], "a.jpg"),
        overlay_maps(gate_capture, 0, [3, 5], "a.jpg", CUT),
    ]


def test_every_chart_says_what_it_shows(captured):
    for chart in charts(captured):
        assert "SE_5_2" in chart.figure.layout.title.text
        assert "SE_5_2" in chart.alt
        assert len(chart.how_to_read) > 80
        assert chart.name.replace("_", "").isalnum()
        assert chart.figure.layout.xaxis.title.text
        assert chart.figure.layout.yaxis.title.text


def test_heatmap_shows_s_and_z_of_the_channel_its_column_names(captured):
    gate_capture = captured["SE_5_2"]
    trace = attention_heatmap(gate_capture, NAMES, "variance").figure.data[0]
    channels = [int(label) for label in trace.x]
    assert channels != sorted(channels)
    np.testing.assert_array_equal(trace.z, gate_capture.s[:, channels])
    assert numbers(trace.text) == pytest.approx(gate_capture.z[:, channels].ravel(), abs=5.1e-4)
    assert len(trace.y) == 5


def numbers(texts) -> list[float]:
    """Numbers that are written with a true minus sign, in rows."""
    assert not any("-" in text for row in texts for text in row)
    return [float(text.replace("−", "-")) for row in texts for text in row]


@pytest.mark.parametrize("order", ["index", "mean", "variance", "similarity"])
def test_the_channels_that_differ_most_are_marked_in_every_order(captured, order):
    gate_capture = captured["SE_5_2"]
    most = [int(channel) for channel in np.argsort(-gate_capture.s.std(axis=0, dtype=np.float64), kind="stable")[:10]]
    chart = attention_heatmap(gate_capture, NAMES, order)
    heatmap, marks = chart.figure.data
    assert [int(channel) for channel in marks.x] == most
    assert {type(channel) for channel in marks.x} == ({int} if heatmap.x is None else {str})
    np.testing.assert_allclose(marks.customdata, gate_capture.s.std(axis=0)[most], rtol=1e-4)
    assert f"differ most between the images: {', '.join(map(str, most))}." in chart.alt


def test_nothing_is_marked_where_s_is_the_same_for_all_images(captured):
    gate_capture = captured["SE_2_1"]
    same = replace(gate_capture, s=np.broadcast_to(gate_capture.s[:1], gate_capture.s.shape))
    assert len(attention_heatmap(same, NAMES).figure.data) == 1


@pytest.mark.parametrize(("n", "shown"), [(5, True), (20, True), (21, False), (64, False)])
def test_thumbnails_stand_at_the_rows_where_these_are_high_enough(captured, n, shown):
    gate_capture = captured["SE_2_1"]
    many = GateCapture(gate_capture.gate, np.resize(gate_capture.z, (n, 96)), np.resize(gate_capture.s, (n, 96)))
    urls = [row_thumbnail(Image.new("RGB", (60, 40), (index, 0, 0))) for index in range(n)]
    chart = attention_heatmap(many, [f"{index}.jpg" for index in range(n)], thumbnails=urls)
    layout = chart.figure.layout
    assert [image.source for image in layout.images] == (urls if shown else [])
    assert [image.y for image in layout.images] == (list(range(n)) if shown else [])
    assert (layout.yaxis.title.text is None) == shown  # they take its place
    assert all(url.startswith("data:image/jpeg;base64,") and len(url) < 2500 for url in urls)
    wall = presented(chart).figure.layout
    assert (wall.yaxis.ticklabelstandoff or 0) >= (layout.yaxis.ticklabelstandoff or 0)


@pytest.mark.parametrize("z", [True, False])
def test_one_image_is_drawn_as_bars_from_the_highest_to_the_lowest(captured, z):
    whole = captured["SE_5_2"]
    one = GateCapture(whole.gate, whole.z[:1] if z else None, whole.s[:1])
    mean = np.full(768, 0.4)
    for chart, expected in (
        (attention_heatmap(one, NAMES[:1], "variance"), one.s[0]),
        (deviation_heatmap(one, mean, NAMES[:1], "variance"), one.s[0] - np.float32(0.4)),
    ):
        pointed = chart.figure.data[-1]
        channels = [int(channel) for channel in pointed.x]
        assert sorted(channels) == list(range(768))
        np.testing.assert_allclose(pointed.y, expected[channels], atol=1e-6)
        assert (np.diff(pointed.y) <= 0).all()
        assert "highest" in chart.figure.layout.xaxis.title.text
        assert chart.alt.startswith("Bars of the excitation weights s of SE_5_2")
        assert ("customdata" in pointed.hovertemplate) == (z or "Δs" in pointed.hovertemplate)
        parts = chart.figure.data[:-1]  # above and below 0
        np.testing.assert_allclose(sum(np.asarray(part.y) for part in parts), pointed.y, atol=1e-6)
    by_index = attention_heatmap(one, NAMES[:1], "index").figure.data[-1]
    assert [int(channel) for channel in by_index.x] == list(range(768))


@pytest.mark.parametrize("z", [True, False])
def test_a_heatmap_of_differences_shows_s_minus_its_mean_with_s_and_z(captured, z):
    whole = captured["SE_5_2"]
    gate_capture, mean = whole if z else replace(whole, z=None), whole.s.mean(axis=0) + np.float32(0.03)
    chart = deviation_heatmap(gate_capture, mean, NAMES, "variance", 1)
    trace = chart.figure.data[0]
    channels = [int(label) for label in trace.x]
    away = gate_capture.s - mean
    np.testing.assert_allclose(trace.z, away[:, channels], atol=1e-7)
    np.testing.assert_array_equal(trace.customdata, gate_capture.s[:, channels])
    if z:
        assert numbers(trace.text) == pytest.approx(gate_capture.z[:, channels].ravel(), abs=5.1e-4)
    assert trace.zmin == -trace.zmax
    assert np.percentile(np.abs(away), 99.5) <= trace.zmax
    most = int(np.abs(away[1]).argmax())
    assert f"furthest in channel {most} ({away[1, most]:+.2f})".replace("-", "−") in chart.alt


def test_the_ends_of_differences_are_near_what_there_is(captured):
    gate_capture = captured["SE_2_1"]
    for far, end in ((0.0, 0.05), (0.04, 0.05), (0.17, 0.2), (0.6, 1), (30, 10)):
        s = np.full_like(gate_capture.s, 0.5)
        s[0] += far
        trace = deviation_heatmap(replace(gate_capture, s=s), np.full(96, 0.5), NAMES).figure.data[0]
        assert (trace.zmin, trace.zmax) == (-end, end)


def test_s_is_always_drawn_on_the_same_scale(captured):
    for gate_capture in captured:
        trace = attention_heatmap(gate_capture, NAMES).figure.data[0]
        assert (trace.zmin, trace.zmax) == (0, 1)


@pytest.mark.parametrize(
    ("function", "largest", "expected"),
    [
        ("tanh", 0.3, (-1, 1)),
        ("relu", 0.3, (0, 1)),
        ("relu6", 2.4, (0, 6)),
        ("relu", 2.4, (0, 3)),
        ("hard-sigmoid", 1.0, (0, 1)),
    ],
)
def test_other_gate_functions_have_their_own_range(captured, function, largest, expected):
    gate = replace(captured["SE_2_1"].gate, gate_function=function)
    s = np.full((1, 96), largest, dtype=np.float32)
    assert s_range(GateCapture(gate, s, s)) == expected


@pytest.mark.parametrize("n", [1, 2, 16, 64])
def test_heatmap_has_room_for_one_to_64_images(captured, n):
    gate_capture = captured["SE_2_1"]
    many = GateCapture(gate_capture.gate, np.resize(gate_capture.z, (n, 96)), np.resize(gate_capture.s, (n, 96)))
    names = [f"{index}.jpg" for index in range(n)]
    figure = attention_heatmap(many, names).figure
    if n > 1:
        assert list(figure.data[0].colorbar.tickvals) == ([0, 1] if n <= 2 else [0, 0.5, 1])
        assert len(set(figure.data[0].y)) == n
    assert 120 <= figure.layout.height <= 104 + 64 * 9


def test_points_and_bars_are_the_image_in_focus(captured):
    gate_capture = captured["SE_5_2"]
    points = z_against_s(gate_capture, NAMES, 2).figure.data[0]
    np.testing.assert_array_equal(points.x, gate_capture.z[2])
    np.testing.assert_array_equal(points.y, gate_capture.s[2])
    bars = distribution(gate_capture, NAMES, 2).figure.data[0]
    assert np.sum(bars.y) == pytest.approx(100)


def test_maps_share_one_symmetric_scale_and_print_s(captured):
    gate_capture = captured["SE_5_2"]
    figure = recalibrated_maps(gate_capture, 0, [3, 700], "a.jpg").figure
    trace = figure.data[0]
    assert trace.zmin == -trace.zmax
    assert trace.zmax == pytest.approx(np.abs(gate_capture.u[0, [3, 700]]).max())  # s ≤ 1: nothing is larger than U
    assert figure.layout.xaxis.ticktext == tuple(f"{c}<br><b>{gate_capture.s[0, c]:.2f}</b>" for c in (3, 700))


def test_maps_need_a_channel_and_captured_maps(captured):
    with pytest.raises(ValueError, match="at least one"):
        recalibrated_maps(captured["SE_5_2"], 0, [], "a.jpg")
    with pytest.raises(ValueError, match="SE_2_1"):
        overlay_maps(captured["SE_2_1"], 0, [1], "a.jpg", CUT)


def test_html_is_interactive_and_asks_no_other_host(captured):
    content = figure_bytes(charts(captured)[0].figure, "html").decode()
    assert "Plotly.newPlot" in content
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.https?:", content)


def test_arrays_travel_packed_not_as_lists(captured):
    spec = json.loads(charts(captured)[0].figure.to_json())
    assert set(spec["data"][0]["z"]) == {"dtype", "bdata", "shape"}


def test_without_a_browser_the_reason_is_said(captured, monkeypatch):
    figure = charts(captured)[0].figure

    monkeypatch.setattr(Chromium, "find_browser", lambda **_: None)
    export.why_not_drawn.cache_clear()
    with pytest.raises(CannotDraw, match="Chrome or Chromium"):
        figure_bytes(figure, "png")
    export.why_not_drawn.cache_clear()


@pytest.mark.parametrize("module", ["kaleido", "choreographer.browsers.chromium"])
def test_without_the_extra_export_a_sentence_names_it_and_html_is_made(captured, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    export.why_not_drawn.cache_clear()
    with pytest.raises(CannotDraw, match=rf"needs {module}, .* `pip install 'se-viz\[export\]'`\. Or save as HTML"):
        figure_bytes(charts(captured)[0].figure, "svg")
    export.why_not_drawn.cache_clear()
    assert figure_bytes(charts(captured)[0].figure, "html")


@pytest.mark.slow
@pytest.mark.browser
def test_png_and_svg_are_drawn(captured, chromium):
    figure = charts(captured)[4].figure
    with Image.open(io.BytesIO(figure_bytes(figure, "png"))) as image:
        assert image.format == "PNG"
        assert image.width == 2200
    assert figure_bytes(figure, "svg").startswith(b"<svg")


def test_a_files_name_is_no_markup(captured):
    gate_capture = captured["SE_5_2"]
    names = ['<a href="http://evil">x</a>', *NAMES[1:]]
    assert "<a" not in attention_heatmap(gate_capture, names).figure.to_json()
    assert "<a" not in recalibrated_maps(gate_capture, 0, [1], names[0]).figure.to_json()


def test_weights_that_are_not_finite_are_told_and_drawn_nowhere(captured):
    gate_capture = captured["SE_5_2"]
    s = gate_capture.s.copy()
    s[1, :5] = np.nan
    s[1, 5] = np.inf
    for function in ("sigmoid", "relu"):
        broken = replace(gate_capture, s=s, gate=replace(gate_capture.gate, gate_function=function))
        assert s_range(broken) == (0, 1)
        chart = distribution(broken, NAMES, 1)
        assert chart.figure.data[0].y.sum() == pytest.approx(100 * (1 - 6 / s.shape[1]))
        assert f"6 of {s.shape[1]} weights are NaN or infinite" in chart.how_to_read
        assert "weights are NaN" in chart.alt
        scatter = z_against_s(broken, NAMES, 1)
        assert "z or s is NaN or infinite in some channels" in scatter.how_to_read
    assert "infinite" not in distribution(gate_capture, NAMES, 1).how_to_read


def test_a_distribution_claims_no_work(captured):
    assert "at work" not in distribution(captured["SE_5_2"], NAMES, 0).how_to_read


def test_without_z_the_channels_stand_across_and_it_is_said(captured):
    gate_capture = replace(captured["SE_5_2"], z=None)
    shown = excitation(gate_capture, NAMES, 1)
    np.testing.assert_array_equal(shown.figure.data[0].y, gate_capture.s[1])
    np.testing.assert_array_equal(shown.figure.data[0].x, np.arange(768))
    assert shown.name == "s_by_channel_SE_5_2"
    for text in (shown.alt, shown.how_to_read):
        assert "s was not seen to come from one squeeze of U alone" in text
    with pytest.raises(ValueError, match="SE_5_2 has no z"):
        z_against_s(gate_capture, NAMES, 1)
    assert excitation(captured["SE_5_2"], NAMES, 1) == z_against_s(captured["SE_5_2"], NAMES, 1)


def test_a_heatmap_without_z_names_s_alone(captured):
    trace = attention_heatmap(replace(captured["SE_5_2"], z=None), NAMES, "variance").figure.data[0]
    assert trace.customdata is trace.text is None
    assert "customdata" not in trace.hovertemplate
    assert "%{text}" not in trace.hovertemplate
    assert "no z was seen" in trace.hovertemplate
