from dataclasses import replace

import pytest

from se_viz.demo import pretrained as demo
from se_viz.demo.design_choices import DESIGN_CHOICES, RATIO
from se_viz.demo.evaluate import accuracy
from se_viz.demo.seresnet import SEResNetConfig
from se_viz.reports.design_choices import conclusion, difference

SQUEEZE = DESIGN_CHOICES[1]


def card(correct, seed=0, **config):
    network = SEResNetConfig(**config)
    return replace(demo.card("r16"), name=str(config), network=network, seed=seed, accuracy=accuracy(correct, 3925))


def test_newcombes_interval_is_the_published_one():
    # Newcombe 1998, Table II, method 10, example (a): 56/70 − 48/80.
    found = difference(accuracy(56, 70), accuracy(48, 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert found.clear


def test_a_difference_within_chance_is_said_to_be_chance():
    said = conclusion(RATIO, [card(3550, r=2), card(3556, r=16), card(3300, r=None)])
    assert said.startswith("**No measurable effect here.**")
    assert "Among r = 2, 16 the largest difference in accuracy is +0.2 points (r = 16 over r = 2" in said
    assert "not statistically significant" in said
    assert "compared with no SE: +6.5 points (95 % interval +5.1 to +8.0), significantly better." in said
    assert "Table 10 (ImageNet) r = 4 leads r = 32 by 0.5 points" in said


def test_what_chance_does_not_allow_is_said_to_matter():
    said = conclusion(RATIO, [card(3300, r=2), card(3556, r=16), card(3700, r=None)])
    assert said.startswith("**Yes, there is a measurable effect here.**")
    assert "significantly worse" in said


def test_other_choices_are_judged_alike():
    said = conclusion(SQUEEZE, [card(3556), card(3540, squeeze="max"), card(100, r=4), card(3000, r=None)])
    assert "Among max, avg the largest difference in accuracy is +0.4 points (avg over max;" in said
    assert "no SE" not in said
    assert "Table 11 (ImageNet) avg leads max by 0.3 points" in said


def test_seeds_say_what_is_noise():
    cards = [card(3556), card(3540, seed=1), card(3570, seed=2), card(3550, r=2)]
    assert "3 seeds of r = 16 are between 90.2% and 91.0%." in conclusion(RATIO, cards)


def test_seeds_that_are_all_above_others_are_told_with_the_odds():
    gated = [card(3556), card(3550, seed=1), card(3552, seed=2)]
    apart = [*gated, card(3549, r=None), card(3530, r=None, seed=1), card(3540, r=None, seed=2)]
    said = "all seeds of r = 16 are above all seeds of no SE (1 in 20 by chance)."
    assert said in conclusion(RATIO, [*apart, card(3550, r=2)])
    overlapping = [*gated, card(3551, r=None), card(3530, r=None, seed=1)]
    assert "by chance" not in conclusion(RATIO, [*overlapping, card(3550, r=2)])


def test_one_network_allows_no_conclusion():
    assert "Two networks" in conclusion(RATIO, [card(3556), card(100, r=16, squeeze="max")])
