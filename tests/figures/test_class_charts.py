from types import SimpleNamespace

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage

from se_viz.figures.class_comparison import auroc_text, effect_sizes, two_distributions
from se_viz.figures.class_profiles import class_band, mean_excitation, sampled
from se_viz.figures.class_similarity import class_heatmap, class_tree, gate_heatmap
from se_viz.figures.separation_by_gate import specificity_by_gate

RNG = np.random.default_rng(0)
MEANS = RNG.uniform(size=(6, 200))
NAMES = ["tench", "springer", "a <b>very</b> long name of a class", "church", "horn", "truck"]
HISTOGRAM = np.array([1.0, 3.0, 0.0]), np.array([0.1, 0.2, 0.6, 0.6])


def charts():
    chosen = sampled(200)
    return [
        mean_excitation("SE_4_6", dict(zip(NAMES, MEANS, strict=True)), MEANS.mean(0), (0, 1), chosen),
        class_band("SE_4_6", "tench", MEANS[0], (MEANS[0] / 2, MEANS[0] * 1.5), "a test", (0, 1), chosen, 0),
        effect_sizes("SE_4_6", ("tench", "church"), [7, 3], np.array([2.0, -1.5]), np.array([0.9, 0.1])),
        two_distributions("SE_4_6", 7, ("tench", "church"), (HISTOGRAM, HISTOGRAM), (0, 1)),
        class_heatmap("SE_4_6", NAMES, MEANS, (0, 1)),
        class_tree("SE_4_6", NAMES, linkage(MEANS, "average")),
    ]


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
def test_every_chart_says_what_it_shows(chart):
    assert "SE_4_6" in chart.figure.layout.title.text
    assert "SE_4_6" in chart.alt
    assert len(chart.how_to_read) > 80
    assert chart.name.replace("_", "").isalnum()
    assert chart.figure.layout.xaxis.title.text
    assert "<b>" not in chart.figure.to_json().replace("\\u003cb", "<b")


def test_fifty_channels_are_evenly_spaced_as_in_the_paper():
    chosen = sampled(2048)
    assert len(chosen) == len(set(chosen)) == 50
    assert (chosen[0], chosen[-1]) == (0, 2047)
    assert set(np.diff(chosen)) <= {41, 42}
    assert sampled(30) == list(range(30))


def test_lines_are_the_means_on_the_scale_of_s():
    figure = charts()[0].figure
    np.testing.assert_allclose(figure.data[1].y, MEANS[1][sampled(200)])
    np.testing.assert_allclose(figure.data[-1].y, MEANS.mean(0)[sampled(200)])
    assert figure.data[-1].name == "all classes"
    assert tuple(figure.layout.yaxis.range) == pytest.approx((-0.03, 1.03))
    assert len({trace.line.color for trace in figure.data}) == 7


def test_the_band_stays_where_s_can_be():
    ends = (np.array([-0.05, 0.4]), np.array([0.15, 0.6]))
    figure = class_band("SE_4_6", "x", np.array([0.05, 0.5]), ends, "a test", (0, 1), [0, 1], 2).figure
    np.testing.assert_allclose(figure.data[0].y, [0.15, 0.6, 0.4, 0.0])


def depth(name, quartiles):
    """The numbers of a gate that the chart of class specificity takes."""
    return SimpleNamespace(gate=name, quartiles=tuple(quartiles), expected_eta2=0.01, limit=0.03)


def test_shares_of_variance_stay_between_0_and_1():
    quartiles = np.sort(RNG.uniform(size=(4, 3)), axis=1)
    chart = specificity_by_gate([depth(f"SE_{index}_1", of) for index, of in enumerate(quartiles, start=2)])
    assert tuple(chart.figure.layout.yaxis.range) == (0, 1)
    np.testing.assert_allclose(chart.figure.data[1].y, quartiles[:, 1])
    assert "SE_5_1" in chart.alt


def test_chance_is_a_line_and_a_band():
    figure = specificity_by_gate([depth(name, np.full(3, 0.4)) for name in ("SE_2_1", "SE_3_1")]).figure
    line, band = figure.data[-2:]
    np.testing.assert_allclose(line.y, 0.01)
    np.testing.assert_allclose(band.y, 0.03)
    assert band.fill == "tozeroy"


def test_gates_by_gates_are_in_the_order_of_the_network():
    names = [f"SE_{stage}_1" for stage in range(2, 6)]
    cka = np.eye(4) + 0.25
    cka[3] = cka[:, 3] = np.nan
    chart = gate_heatmap(names, np.clip(cka, 0, 1), np.full((4, 4), 0.2))
    assert list(chart.figure.data[0].x) == list(chart.figure.data[0].y) == names
    assert (chart.figure.data[0].zmin, chart.figure.data[0].zmax) == (0, 1)
    assert chart.figure.layout.yaxis.autorange == "reversed"
    assert "SE_2_1 to SE_5_1" in chart.alt
    assert "0.25 to 0.25" in chart.alt
    assert "no two" in gate_heatmap(names, np.full((4, 4), np.nan), np.full((4, 4), np.nan)).alt


def test_more_channels_than_a_screen_has_room_for_are_averaged():
    means = RNG.uniform(size=(3, 2050))
    drawn = class_heatmap("SE_5_3", NAMES[:3], means, (0, 1)).figure.data[0].z
    assert drawn.shape == (3, 410)
    np.testing.assert_allclose(drawn[1, 2], means[1, 10:15].mean(), rtol=1e-6)
    odd = class_heatmap("SE_5_3", NAMES[:3], means[:, :2048], (0, 1)).figure.data[0].z
    np.testing.assert_allclose(odd[0, -1], means[0, 2048 // 4 * 4 - 4 : 2048].mean(), rtol=1e-6)


def test_areas_of_uneven_bins_are_shares():
    for bar in two_distributions("SE_4_6", 7, ("a", "b"), (HISTOGRAM, HISTOGRAM), (0, 1)).figure.data:
        np.testing.assert_allclose(bar.y * bar.width, [0.25, 0.75])  # an empty bin is not drawn
        np.testing.assert_allclose(bar.x, [0.15, 0.4])


def test_a_heap_is_a_needle_whose_area_is_its_share():
    heaped = np.array([30.0, 0, 10]), np.array([0, 0, 0.2, 1])
    bar = two_distributions("SE_4_6", 7, ("a", "b"), (heaped, heaped), (0, 1)).figure.data[0]
    assert list(bar.x) == [0, 0.6]
    assert list(bar.width) == [0.005, 0.8]
    assert list(np.multiply(bar.y, bar.width)) == pytest.approx([0.75, 0.25])


def test_an_auroc_says_how_far_it_may_be_off_where_that_shows():
    assert auroc_text(np.array([0.538, 0.463]), np.array([0.004, 0.0216])) == ["0.54", "0.46 ± 0.02"]
    chart = effect_sizes("SE_4_6", ("a", "b"), [3], np.array([0.5]), np.array([0.7]), np.array([0.1]))
    assert chart.figure.data[0].customdata[0] == "0.70 ± 0.10"
