"""How often the page's verdicts say "yes" in synthetic families whose truth is known."""

from math import sqrt

import numpy as np
import pytest
from support.synthetic_family import IMAGES, families

from se_viz.analysis.family_tests import ALPHA, SeedSpread, count_tests, family_comparisons, seed_spread
from se_viz.analysis.power import mcnemar_power, t_power
from se_viz.demo.design_choices import DESIGN_CHOICES
from se_viz.demo.seresnet import SEResNetConfig
from se_viz.reports.design_verdicts import verdict

POINTS = 0.015


@pytest.fixture(scope="module")
def count(request):
    """How many families: 2,000 take half a minute."""
    return 2000 if request.config.getoption("exhaustive") else 150


def answered(comparisons):
    """The verdict on each choice, and on SE at all, as the page has them."""
    groups = {one.title: [c for c in comparisons if c.choice is one and not c.without_se] for one in DESIGN_CHOICES}
    groups["SE at all"] = [c for c in comparisons if c.without_se]
    return {title: verdict(group) for title, group in groups.items()}


@pytest.mark.slow
def test_if_no_choice_matters_some_verdict_says_yes_in_at_most_one_family_of_twenty(count):
    yes = [any(said.startswith("yes") for said in answered(family_comparisons(cards)).values())
           for cards in families(count)]  # fmt: skip
    assert len(yes) == count
    assert 0.01 < np.mean(yes) <= 0.05


@pytest.mark.slow
def test_a_difference_of_one_and_a_half_points_is_seen_as_often_as_the_power_says(count):
    found, discordant, tests = [], [], 0
    for cards in families(count, worse=[SEResNetConfig(squeeze="max")], by=POINTS, seed=1):
        comparisons = family_comparisons(cards)
        tests = count_tests(comparisons)
        (one,) = (one for one in comparisons if one.label == "max")
        found.append(one.over_images)
        assert one.over_images <= ("trained" in answered(comparisons)["squeeze operator"])
        discordant.append((one.images.lost + one.images.gained) / IMAGES)
    stated = mcnemar_power(POINTS, float(np.mean(discordant)), IMAGES, ALPHA / tests)
    assert 0.4 < stated < 0.95
    # Four standard errors of the share; Holm's level is a little above the one of its first step.
    assert np.mean(found) == pytest.approx(stated, abs=4 * sqrt(stated * (1 - stated) / count) + 0.005)


@pytest.mark.slow
def test_a_difference_of_one_and_a_half_points_over_seeds_is_seen_as_often_as_the_power_says(count):
    standard, without = SEResNetConfig(), SEResNetConfig(r=None)
    found, squares, tests = [], [], 0
    for cards in families(count, worse=[without], by=POINTS, seed=2):
        comparisons = family_comparisons(cards)
        tests = count_tests(comparisons)
        (one,) = (one for one in comparisons if one.without_se)
        found.append(one.over_seeds)
        assert one.seeds.seeds == (5, 5)
        squares += [
            np.var([card.accuracy.top1 for card in cards if card.network == network], ddof=1)
            for network in (standard, without)
        ]
    spread = SeedSpread(sqrt(np.mean(squares)), seed_spread(cards).freedom, 2)
    # The test over images of the same networks is often significant first: then Holm's second step counts.
    lowest, highest = (t_power(POINTS, spread, (5, 5), ALPHA / steps) for steps in (tests, tests - 1))
    assert lowest - 0.04 < np.mean(found) < highest + 0.04
