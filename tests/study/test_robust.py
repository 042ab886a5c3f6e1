from dataclasses import replace

import pytest

from se_viz.study.paper import TABLE_10, TABLE_14
from se_viz.study.robust import difference, robustness
from se_viz.zoo import demo
from se_viz.zoo.measure import accuracy
from se_viz.zoo.seresnet import SEResNetConfig


def card(correct, **config):
    return replace(demo.card("r16"), network=SEResNetConfig(**config), accuracy=accuracy(correct, 3925))


def test_newcombes_interval_is_the_published_one():
    # Newcombe 1998, Table II, method 10, example (a): 56/70 − 48/80.
    found = difference(accuracy(56, 70), accuracy(48, 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert found.clear


def test_what_chance_allows_is_said_to_be_chance():
    said = robustness([card(3550, r=2), card(3556, r=16), card(3300, r=None)])
    assert "Over r = 2, 16 the largest difference is +0.2 points (r = 16 over r = 2" in said
    assert "no more than chance" in said
    assert "clearly better than the network without SE (+6.5 points" in said


def test_what_chance_does_not_allow_is_said_to_depend():
    said = robustness([card(3300, r=2), card(3556, r=16), card(3700, r=None)])
    assert "accuracy does depend on r" in said
    assert "clearly worse than the network without SE" in said


def test_variants_and_other_seeds_are_not_ratios():
    others = [card(100, r=16, squeeze="max"), replace(card(100, r=4), seed=1), card(100, r=2, gated_stages=(2, 3))]
    assert "two ratios" in robustness([card(3556, r=16), *others])
    assert "cannot be told" in robustness([card(3556), card(3550, r=2), card(3555, r=None)])


def test_the_papers_tables_agree_where_they_show_the_same_network():
    rows = {row.name: row for row in TABLE_10}
    assert (rows["r = 16"].top1, rows["r = 16"].top5) == (TABLE_14[0].top1, TABLE_14[0].top5)
