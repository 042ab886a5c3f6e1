from itertools import combinations

import numpy as np
import pytest
from scipy.stats import f_oneway, permutation_test

from se_viz.analysis import significance
from se_viz.analysis.by_depth import by_depth
from se_viz.analysis.selectivity import eta_squared
from se_viz.analysis.significance import expected_eta2, f_test, permutation, significance_table
from se_viz.profiles.errors import NotInProfiles

CLASSES = ("a", "b", "empty", "c")


def test_chance_is_the_mean_over_all_labellings(make_profiles):
    s, labels = np.array([[0.1], [0.5], [0.2], [0.9], [0.4]]), np.array([0, 0, 1, 1, 1])
    shares = [
        eta_squared(make_profiles({"SE_2_1": s}, np.isin(range(5), pair).astype(int), "ab")["SE_2_1"])[0]
        for pair in combinations(range(5), 2)
    ]
    assert np.mean(shares) == pytest.approx(expected_eta2(np.bincount(labels)), rel=1e-3)


def test_the_permutation_check_tells_chance_from_class(make_profiles, labelled):
    s, labels = labelled
    gate = make_profiles({"SE_2_1": s}, labels, CLASSES, images=True)["SE_2_1"]
    checked = permutation(gate, labels, 199)
    np.testing.assert_allclose(checked.share, eta_squared(gate), rtol=1e-6)
    assert checked.p[0] > 0.05
    assert checked.p[1:3].tolist() == [1 / 200] * 2
    assert np.isnan(checked.p[3])
    # The parametric test of the same hypothesis agrees where its conditions hold.
    p = f_oneway(*(s[labels == label, 0] for label in (0, 1, 3))).pvalue
    assert checked.p[0] == pytest.approx(p, abs=0.1)
    without = make_profiles({"SE_2_1": s}, labels, CLASSES)["SE_2_1"]
    with pytest.raises(NotInProfiles, match="--images"):
        permutation(without, labels)


@pytest.fixture
def skewed():
    """Three channels whose s lies near its ends, as that of gates does; the class moves the last of them."""
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.repeat([0, 1, 3], [40, 30, 20]))
    s = rng.beta(0.4, 2, (90, 3))
    s[:, 2] = np.clip(s[:, 2] + 0.5 * (labels == 1), 0, 1)
    return s, labels


def test_shuffling_finds_what_scipy_finds(make_profiles, skewed):
    s, labels = skewed
    found = permutation(make_profiles({"SE_2_1": s}, labels, CLASSES, images=True)["SE_2_1"], labels, 999)

    def share(*groups, axis):
        whole = np.concatenate(groups, axis=axis)
        mean = whole.mean(axis=axis)
        between = sum(group.shape[axis] * (group.mean(axis=axis) - mean) ** 2 for group in groups)
        return between / (whole.var(axis=axis) * whole.shape[axis])

    groups = [s[labels == label] for label in (0, 1, 3)]
    null = permutation_test(
        groups, share, permutation_type="independent", vectorized=True, alternative="greater", n_resamples=999, rng=2
    )
    np.testing.assert_allclose(found.share, null.statistic, rtol=1e-3)
    np.testing.assert_allclose(found.limit, np.quantile(null.null_distribution, 0.95, axis=0), rtol=0.2)
    np.testing.assert_allclose(found.p, null.pvalue, atol=0.06)
    assert null.null_distribution.mean() == pytest.approx(expected_eta2(np.bincount(labels)), rel=0.1)


def test_fs_distribution_is_close_to_shuffling_and_is_that_of_the_f_test(make_profiles, skewed):
    s, labels = skewed
    gate = make_profiles({"SE_2_1": s}, labels, CLASSES, images=True)["SE_2_1"]
    shuffled, by_distribution = permutation(gate, labels, 999), f_test(gate.s())
    np.testing.assert_allclose(by_distribution.limit, shuffled.limit, rtol=0.15)
    np.testing.assert_allclose(by_distribution.p, f_oneway(*(s[labels == one] for one in (0, 1, 3))).pvalue, rtol=0.02)
    assert shuffled.significant_share == by_distribution.significant_share == 1 / 3


def test_what_is_kept_decides_how_chance_is_told(make_profiles, labelled):
    s, labels = labelled
    with_images = make_profiles({"SE_2_1": s}, labels, CLASSES, images=True)
    without = make_profiles({"SE_2_1": s}, labels, CLASSES)
    assert by_depth(with_images)[0].shuffled
    assert not by_depth(without)[0].shuffled
    frame = significance_table(with_images)
    assert frame.columns.tolist() == ["gate", "stage", "block", "channel", "eta2", "chance", "limit", "p", "test"]
    np.testing.assert_allclose(frame["eta2"], eta_squared(without["SE_2_1"]), rtol=1e-6)
    assert frame["test"].unique().tolist() == ["shuffled"]
    assert (frame["chance"] == 2 / 89).all()
    assert significance.test_selectivity(with_images, with_images["SE_2_1"], s.size).shuffled
    assert not significance.test_selectivity(with_images, with_images["SE_2_1"], s.size - 1).shuffled


def test_one_image_a_class_leaves_nothing_to_tell(make_profiles):
    s = np.random.default_rng(0).uniform(size=(3, 4))
    found = f_test(make_profiles({"SE_2_1": s}, np.arange(3), "abc")["SE_2_1"].s())
    np.testing.assert_allclose(found.share, 1)
    assert np.isnan([found.limit, found.p]).all()
    assert np.isnan(found.significant_share)
