"""The card of a channel: its numbers are those of the class profiles."""

import numpy as np
import pytest

from se_viz.analysis.selectivity import eta_squared
from se_viz.profiles.bundled import bundled_profiles
from se_viz.reports.channel_card import (
    channel_chart,
    channel_effect,
    channel_images,
    channel_role,
    most_specific_channel,
)
from se_viz.reports.target_output import outcome_of
from se_viz.weights.head import Fitted, Head


@pytest.fixture
def profiles(make_profiles):
    weights = np.random.default_rng(0).uniform(0.2, 0.4, (6, 8))
    weights[:, 3] = [0.9, 0.8, 0.85, 0.1, 0.2, 0.15]
    weights[:, 5] = 0.5
    return make_profiles({"SE_5_1": weights}, np.array([0, 0, 0, 1, 1, 1]), ["ants", "bees", "none"])


def test_the_card_names_the_classes_at_both_ends_and_the_images(profiles):
    assert most_specific_channel(profiles["SE_5_1"]) == 3
    share = eta_squared(profiles["SE_5_1"])[3]
    assert channel_role(profiles, "SE_5_1", 3).replace("**", "") == (
        "Channel 3 of SE_5_1 has a mean weight of 0.50 over the classes. It is highest for ants (0.85) and lowest "
        "for bees "
        f"(0.15). The class explains {share:.0%} of the variance of s, rank 1 of 8 channels."
    )
    assert channel_role(profiles, "SE_5_1", 5).endswith("Its s is constant over these images.")
    bars = channel_chart(profiles, "SE_5_1", 3).figure.data[0]
    assert list(bars.customdata) == ["ants", "bees"]
    np.testing.assert_allclose(bars.x, [0.85, 0.15], atol=1e-6)
    images = channel_images(profiles, "SE_5_1", 3)
    top = images["s"].to_numpy()
    assert images["class"][0] == "ants"
    assert top[0] == pytest.approx(0.9, abs=1e-4)
    assert (np.diff(top) <= 0).all()
    assert images["sha256"].str.len().eq(64).all()


def test_compact_class_profiles_say_that_they_name_no_images():
    assert "name no images" in channel_images(bundled_profiles("demo/r16"), "SE_5_2", 450)


def test_the_effect_of_a_channel_names_the_predicted_output_and_the_one_that_changes_most():
    outcome = outcome_of(Fitted(Head("classes"), ("ants", "bees", "wasps")), np.array([2.0, 1.0, 0.0]))
    said = channel_effect(outcome, np.array([2.0, 1.0, 0.0]), np.array([1.9, 1.5, 0.0]), "a.jpg", 0.75, 0.5)
    assert said == (
        "For a.jpg its s is **0.750**. If s is set to its mean (0.500), the logit of ants changes by **−0.1**. That "
        "of bees changes most, by +0.5."
    )
    said = channel_effect(outcome, np.array([2.0, 1.0, 0.0]), np.array([1.0, 1.5, 0.0]), "a.jpg", 0.75, 0.5)
    assert said.endswith("the logit of ants changes by **−1**, more than any other.")
    assert channel_effect(outcome, np.ones(3), np.ones(3), "a.jpg", 0.7, 0.5).endswith("**no output changes**.")
    said = channel_effect(outcome, np.zeros(3), np.array([np.nan, 0, 0]), "a.jpg", 0.75, 0.5)
    assert "NaN" in said
