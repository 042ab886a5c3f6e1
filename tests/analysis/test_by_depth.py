import numpy as np
import pytest

from se_viz.analysis.band import band
from se_viz.analysis.by_depth import by_depth, saturation
from se_viz.analysis.health import health
from se_viz.analysis.selectivity import eta_squared
from se_viz.gates.gate_functions import range_of


def test_a_gate_in_a_line_is_what_its_single_images_say(make_profiles):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [30, 20, 10])
    early, late = rng.beta(30, 30, (60, 6)), np.clip(rng.beta(1, 1, (60, 6)) * 0.3 + labels[:, None] * 0.35, 0, 1)
    profiles = make_profiles({"SE_2_1": early, "SE_5_2": late}, labels, ("a", "b", "c", "none"))
    first, last = by_depth(profiles)
    assert (last.gate, last.stage, last.block) == ("SE_5_2", 5, 2)
    assert first.expected_eta2 == last.expected_eta2 == 2 / 59
    assert first.share < 3 * first.expected_eta2 < 0.5 < last.share
    assert last.quartiles[1] == pytest.approx(np.median(eta_squared(profiles["SE_5_2"])))
    assert first.class_cosine > last.class_cosine
    means = np.stack([late[labels == label].mean(0) for label in range(3)])
    assert last.between == pytest.approx(np.sqrt(means.var(0).mean()), rel=1e-3)
    judged, found = health(late.astype(np.float32)), last.saturation
    assert found.mean == pytest.approx(judged.mean, abs=1e-4)
    assert found.near_0 == pytest.approx(judged.near_0, abs=0.03)
    assert found.near_1 == pytest.approx(judged.near_1, abs=0.03)
    assert found.spread == pytest.approx(late.mean(0).std(), rel=1e-3)


def test_a_gate_that_never_moves_has_no_share_and_no_warning(make_profiles):
    (only,) = by_depth(make_profiles({"SE_2_1": np.full((4, 3), 0.95)}, np.array([0, 0, 1, 1]), "ab"))
    assert np.isnan([only.share, *only.quartiles]).all()
    assert only.between == 0
    assert only.saturation.near_1 > 0.9


def test_many_classes_are_gone_through_in_parts(make_profiles):
    labels = np.repeat(np.arange(5), 3)
    profiles = make_profiles({"SE_2_1": np.random.default_rng(0).beta(1, 1, (15, 4))}, labels, "abcde")
    whole, parts = (saturation(profiles["SE_2_1"], at_once) for at_once in (5, 2))
    assert parts.near_0 == pytest.approx(whole.near_0)
    assert parts.near_1 == pytest.approx(whole.near_1)


@pytest.mark.parametrize(
    ("function", "value", "shut", "opened"),
    [
        (function, *case)
        for function in ("sigmoid", "hard-sigmoid", "tanh", "relu", "relu6", "other")
        for case in ((0, 1, 0), (0.5, 0, 0), (1, 0, 1), (0.05, 1, 0), (12.35, 0, 0))
        if case[0] <= (range_of(function) or (0, np.inf))[1]
    ],
)
def test_shares_of_a_constant_are_0_or_1_for_every_gate_function(make_profiles, function, value, shut, opened):
    s = np.full((6, 4), value)
    profiles = make_profiles({"SE_2_1": s}, np.array([0, 0, 0, 1, 1, 1]), "ab", functions={"SE_2_1": function})
    found = by_depth(profiles)[0].saturation
    assert (found.near_0, found.near_1) == (shut, opened)
    centre, (low, high) = band(profiles["SE_2_1"], "a", "median and quartiles")
    assert centre.tolist() == low.tolist() == high.tolist() == pytest.approx([value] * 4, rel=1e-6)


def test_heaps_at_both_ends_are_counted_exactly(make_profiles):
    rng = np.random.default_rng(0)
    s = np.where(rng.uniform(size=(80, 5)) < 0.4, rng.choice([0.0, 1.0], (80, 5)), rng.uniform(0.2, 0.8, (80, 5)))
    found = by_depth(make_profiles({"SE_2_1": s}, np.repeat([0, 1], 40), "ab", functions={"SE_2_1": "other"}))[0]
    assert found.saturation.near_0 == pytest.approx((s == 0).mean(), abs=1e-12)
    assert found.saturation.near_1 == pytest.approx((s == 1).mean(), abs=1e-12)


def test_weights_of_a_softmax_are_compared_with_their_mean(make_profiles):
    s = np.random.default_rng(0).dirichlet(np.full(64, 20.0), 12)
    profiles = make_profiles({"SE_2_1": s}, np.repeat([0, 1], 6), "ab", functions={"SE_2_1": "softmax"})
    found, judged = by_depth(profiles)[0].saturation, health(s, "softmax")
    assert (found.near_0, judged.near_0) == (0, 0)
    assert found.near_1 == pytest.approx(judged.near_1, abs=0.03)
