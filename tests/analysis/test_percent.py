"""Shares in words."""

import pytest

from se_viz.analysis.percent import percent, reach


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0%"), (1e-9, "< 0.1%"), (0.0021, "0.2%"), (0.0094, "0.9%"), (0.0096, "1%"), (0.554, "55%"), (1.0, "100%")],
)
def test_small_shares_are_told_from_0(share, said):
    assert percent(share) == said


def test_an_axis_ends_at_100_unless_all_shares_are_small():
    assert reach([0.01, 0.5]) == 100
    assert reach([0.04, float("nan")]) == pytest.approx(5)
    assert reach([0.0]) == 1
    assert reach([]) == 100
