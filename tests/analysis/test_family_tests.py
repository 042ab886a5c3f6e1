"""Comparisons of the demo family: against SciPy, against enumeration, and by worked examples."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test, ttest_ind
from support.synthetic_family import families, with_answers

from se_viz.analysis import family_tests as tests_of
from se_viz.analysis.power import (
    POWER,
    mcnemar_power,
    t_power,
    visible_over_images,
    visible_over_seeds,
)
from se_viz.demo import pretrained as demo
from se_viz.demo.seresnet import SEResNetConfig

HIGH, LOW = [0.9060, 0.9062, 0.9047], [0.8978, 0.9001, 0.9006]


@pytest.fixture
def cards():
    return next(iter(families(1)))


def spread_of(*groups):
    freedom = sum(len(group) - 1 for group in groups)
    squares = sum(np.var(group) * len(group) for group in groups)
    return tests_of.SeedSpread(float(np.sqrt(squares / freedom)), freedom, len(groups))


def test_each_network_is_compared_once_with_the_standard_one_image_by_image(cards):
    found = tests_of.family_comparisons(cards)
    first = {card.network: card for card in cards if not card.seed}
    assert {one.card.name for one in found} == {card.name for card in first.values()} - {"r16"}
    standard = first[SEResNetConfig()].right.unpacked()
    for one in found:
        other = one.card.right.unpacked()
        counted = int((standard & ~other).sum()), int((other & ~standard).sum())
        assert (one.images.lost, one.images.gained) == counted
        assert one.images.p == pytest.approx(binomtest(counted[0], sum(counted)).pvalue)
        assert one.images.change.value == pytest.approx(other.mean() - standard.mean())
    assert [one.label for one in found if not one.seeds] == ["ReLU"]  # no other network has a single seed


def test_all_tests_are_corrected_together(cards):
    found = tests_of.family_comparisons(cards)
    listed = [test for one in found for test in (one.images, one.seeds) if test is not None]
    assert tests_of.count_tests(found) == len(listed) == 2 * len(found) - 1
    assert [test.adjusted for test in listed] == tests_of.holm([test.p for test in listed])
    assert min(test.adjusted for test in listed) == pytest.approx(min(1, len(listed) * min(test.p for test in listed)))


def test_holms_correction_by_hand():
    assert tests_of.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert tests_of.holm([0.5, 0.9]) == [1.0, 1.0]
    assert tests_of.holm([]) == []


def test_answers_to_other_files_and_missing_answers_are_not_compared(cards):
    older = [replace(card, right=None) if card.name == "r4" else card for card in cards]
    other = [replace(card, right=replace(card.right, order="0" * 64)) if card.name == "r8" else card for card in older]
    found = {one.card.name: one for one in tests_of.family_comparisons(other)}
    assert (found["r4"].images, found["r8"].images) == (None, None)
    assert found["r2"].images is not None


def test_networks_of_another_recipe_are_left_out(cards):
    shorter = replace(cards[0].recipe, epochs=1)
    other = [replace(card, recipe=shorter) if card.name == "r4" else card for card in cards]
    assert "r4" not in {one.card.name for one in tests_of.family_comparisons(other)}
    assert tests_of.family_comparisons(other[1:]) == ()  # without the standard network


def test_seeds_are_compared_by_students_t():
    found = tests_of.over_seeds(HIGH, LOW, spread_of(HIGH, LOW))
    expected = ttest_ind(LOW, HIGH)
    interval = expected.confidence_interval()
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.change.low, found.change.high) == pytest.approx((interval.low, interval.high))
    assert tests_of.over_seeds(HIGH, LOW[:1], spread_of(HIGH)) is None


def test_the_spread_is_pooled_over_the_networks_with_several_seeds(cards):
    found = tests_of.seed_spread(cards)
    groups = [tests_of.accuracies(card, cards) for card in cards if not card.seed]
    expected = spread_of(*(group for group in groups if len(group) > 1))
    assert found.deviation == pytest.approx(expected.deviation)
    assert (found.freedom, found.networks) == (expected.freedom, expected.networks)
    assert tests_of.seed_spread([card for card in cards if not card.seed]) is None


@pytest.mark.parametrize(("first", "second"), [(HIGH, LOW), (LOW, HIGH), ([1, 3, 4], [2, 5]), ([1, 2], [1, 2])])
def test_the_permutation_probability_is_two_sided(first, second):
    expected = permutation_test(
        (first, second), lambda a, b, axis: abs(a.mean(axis) - b.mean(axis)), vectorized=True, n_resamples=np.inf,
        alternative="greater",
    )  # fmt: skip
    assert tests_of.permutation_p(first, second) == pytest.approx(expected.pvalue)


def test_three_seeds_above_three_others_are_one_of_ten_not_of_twenty():
    found = tests_of.over_seeds(HIGH, LOW, spread_of(HIGH, LOW))
    assert found.exact == found.lowest == pytest.approx(0.1)
    assert tests_of.over_seeds(HIGH[:2], LOW, spread_of(HIGH, LOW)).lowest == pytest.approx(0.1)


def test_power_is_the_share_of_draws_that_reject():
    rng, level = np.random.default_rng(0), 0.01
    discordant = rng.binomial(500, 0.1, 4000)
    lost = rng.binomial(discordant, (1 + 0.04 / 0.1) / 2)
    rejected = np.mean([tests_of.mcnemar(a, b - a) <= level for a, b in zip(lost, discordant, strict=True)])
    assert mcnemar_power(0.04, 0.1, 500, level) == pytest.approx(rejected, abs=0.025)
    assert mcnemar_power(0, 0.1, 500, level) <= level
    spread = tests_of.SeedSpread(0.002, 4, 2)
    draws = rng.normal(0, 0.002, (4000, 2, 3)) + np.array([0, 0.006])[:, None]
    p = ttest_ind(draws[:, 1], draws[:, 0], axis=1).pvalue
    assert t_power(0.006, spread, (3, 3), level) == pytest.approx((p <= level).mean(), abs=0.025)


def test_a_visible_difference_is_seen_in_four_of_five_cases():
    spread = tests_of.SeedSpread(0.0012, 4, 2)
    assert t_power(visible_over_seeds(spread, (3, 3), 0.004), spread, (3, 3), 0.004) == pytest.approx(POWER, abs=0.01)
    visible = visible_over_images(0.06, 3925, 0.004)
    assert mcnemar_power(visible, 0.06, 3925, 0.004) == pytest.approx(POWER, abs=0.01)


def test_cards_of_families_are_whole(cards):
    card = cards[0]
    assert card.accuracy.correct == card.right.unpacked().sum()
    assert with_answers(demo.card("r16"), np.ones(9, bool)).accuracy.top1 == 1
