"""Paired comparisons, against SciPy, exhaustive enumeration, and what the intervals are for."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_rel
from support.quick import every

from se_viz.demo.evaluate import accuracy
from se_viz.demo.paired_comparison import accuracy_change, mcnemar, mean_change, points


def counts(of):
    """Images right in both, lost, gained, right in neither."""
    for both in range(of + 1):
        for lost in range(of - both + 1):
            for gained in range(of - both - lost + 1):
                yield both, lost, gained, of - both - lost - gained


@pytest.mark.slow
@pytest.mark.parametrize("shares", every(3, [(0.8, 0.05, 0.05, 0.1), (0.5, 0.2, 0.05, 0.25), (0.3, 0.3, 0.3, 0.1)]))
def test_the_interval_holds_the_true_change_in_19_of_20_draws(shares):
    """The sum over every outcome of 30 images of its probability, where the interval holds the truth."""
    of, truth, covered = 30, shares[2] - shares[1], 0.0
    for both, lost, gained, neither in counts(of):
        ways = comb(of, both) * comb(of - both, lost) * comb(of - both - lost, gained)
        change = accuracy_change(both + lost, lost, gained, of)
        if change.low <= truth <= change.high:
            covered += ways * np.prod(np.power(shares, (both, lost, gained, neither)))
    assert 0.94 < covered < 0.995


@pytest.mark.slow
@given(st.tuples(*[st.integers(0, 500)] * 4).filter(lambda cells: sum(cells) > 0))
def test_the_interval_is_around_the_change_and_within_bounds(cells):
    both, lost, gained, _neither = cells
    change = accuracy_change(both + lost, lost, gained, sum(cells))
    assert -1 - 1e-12 <= change.low <= change.value <= change.high <= 1 + 1e-12
    assert change.value == pytest.approx((gained - lost) / sum(cells))
    turned = accuracy_change(both + gained, gained, lost, sum(cells))
    assert (turned.low, turned.high) == pytest.approx((-change.high, -change.low), abs=1e-12)


def test_pairs_make_it_narrower_than_two_samples():
    """Of 3,925 images 20 change: two independent intervals would be 2.5 points wide."""
    change = accuracy_change(3600, 15, 5, 3925)
    before, after = accuracy(3600, 3925), accuracy(3590, 3925)
    assert change.high - change.low < 0.006 < (before.high - before.low + after.high - after.low) / 2
    assert change.high < 0.0005


# Newcombe 1998, table III, method 10: right in both, only after, only before, in neither; lower and upper limit.
TABLE_III = (
    ((36, 12, 2, 0), (0.0569, 0.3404)),
    ((20, 12, 2, 16), (0.0562, 0.3292)),
    ((18, 12, 2, 18), (0.0562, 0.3290)),
    ((36, 14, 0, 0), (0.1528, 0.4167)),
    ((35, 14, 0, 1), (0.1461, 0.4175)),
    ((18, 14, 0, 18), (0.1441, 0.3963)),
    ((1, 97, 1, 1), (0.8736, 0.9850)),
    ((0, 30, 0, 0), (0.8395, 1.0)),
    ((54, 0, 0, 0), (-0.0664, 0.0664)),
    ((30, 0, 0, 24), (-0.0358, 0.0358)),
)


@pytest.mark.parametrize(("cells", "limits"), TABLE_III)
def test_the_interval_is_newcombes(cells, limits):
    both, gained, lost, _neither = cells
    change = accuracy_change(both + lost, lost, gained, sum(cells))
    assert (change.low, change.high) == pytest.approx(limits, abs=1e-4)


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (1, 0), (5, 0), (3, 9), (40, 41), (123, 45)])
def test_mcnemar_is_exact(lost, gained):
    expected = 1.0 if not lost + gained else binomtest(gained, lost + gained).pvalue
    assert mcnemar(lost, gained) == pytest.approx(expected)
    assert mcnemar(lost, gained) == mcnemar(gained, lost)


def test_means_are_those_of_a_paired_t_test():
    rng = np.random.default_rng(0)
    before = rng.normal(size=4000)
    after = before + rng.normal(0.1, 0.5, 4000)
    moved = after - before
    change = mean_change(moved.sum(), np.square(moved).sum(), 4000)
    expected = ttest_rel(after, before).confidence_interval()
    assert (change.low, change.high) == pytest.approx((expected.low, expected.high), abs=1e-4)
    assert change.clear
    assert mean_change(0.5, 0.25, 1) is None


@pytest.mark.parametrize(
    ("share", "said"), [(0.012, "+1.20"), (-0.003, "−0.30"), (-0.0, "0.00"), (-0.00001, "0.00"), (0.0, "0.00")]
)
def test_a_change_in_points_has_a_sign_unless_it_rounds_to_0(share, said):
    assert points(share, digits=2) == said
    assert points(share) == {"+1.20": "+1.2", "−0.30": "−0.3"}.get(said, "0.0")
