"""The paper's Figures 6 and 7 as one figure each."""

import numpy as np
import pytest

from se_viz.figures.class_profiles import sampled
from se_viz.profiles.bundled import bundled_profiles
from se_viz.reports.class_profiles import class_report
from se_viz.reports.paper_figures import paper_gates


def stages(*blocks):
    return [(stage, [f"SE_{stage}_{block + 1}" for block in range(count)]) for stage, count in enumerate(blocks, 2)]


@pytest.mark.parametrize(
    ("staged", "gates"),
    [
        (stages(3, 4, 6, 3), ["SE_2_3", "SE_3_4", "SE_4_6", "SE_5_1", "SE_5_2", "SE_5_3"]),
        (stages(3, 4, 23, 3), ["SE_2_3", "SE_3_4", "SE_4_23", "SE_5_1", "SE_5_2", "SE_5_3"]),
        (stages(2, 2, 2, 2), ["SE_2_2", "SE_3_2", "SE_4_1", "SE_4_2", "SE_5_1", "SE_5_2"]),
        (stages(2), ["SE_2_1", "SE_2_2"]),
        (stages(9), [f"SE_2_{block}" for block in range(4, 10)]),
        (stages(1, 1, 1, 1, 1, 1, 1, 1), [f"SE_{stage}_1" for stage in range(4, 10)]),
        ([], []),
    ],
)
def test_the_papers_gates_are_found_in_other_networks(staged, gates):
    assert paper_gates(staged) == gates


@pytest.fixture(scope="module")
def charts():
    report = class_report(bundled_profiles("demo/r16"), ["church", "tench"], [], (), paper_figures=True)
    return {name: report.charts[name] for name in ("paper_figure_6", "paper_figure_7")}


def test_each_figure_has_six_panels_with_the_numbers_of_the_class_profiles(charts):
    profiles = bundled_profiles("demo/r16")
    gates = ["SE_2_2", "SE_3_2", "SE_4_1", "SE_4_2", "SE_5_1", "SE_5_2"]
    for chart in charts.values():
        titles = [annotation.text for annotation in chart.figure.layout.annotations]
        assert titles == [f"({letter}) {gate}" for letter, gate in zip("abcdef", gates, strict=True)]
    lines = charts["paper_figure_6"].figure.data
    assert len(lines) == 6 * 3
    assert [line.name for line in lines if line.showlegend] == ["church", "tench", "all classes"]
    bands = charts["paper_figure_7"].figure.data
    assert len(bands) == 6 * 2 * 2
    for place, gate in enumerate(gates):
        moments = profiles[gate].s("church")
        picked = sampled(len(moments.mean))
        np.testing.assert_allclose(lines[3 * place].y, moments.mean[picked], rtol=1e-5)
        band = np.asarray(bands[4 * place].y)
        upper, lower = band[: len(picked)], band[len(picked) :][::-1]
        np.testing.assert_allclose(upper, np.minimum(moments.mean + moments.std, 1)[picked], rtol=1e-5)
        np.testing.assert_allclose(lower, np.maximum(moments.mean - moments.std, 0)[picked], rtol=1e-5, atol=1e-7)


def test_a_report_has_them_only_if_asked():
    assert not [name for name in class_report(bundled_profiles("demo/r16")).charts if name.startswith("paper_")]
