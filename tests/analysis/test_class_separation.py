import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, ttest_ind

from se_viz.analysis.class_separation import auroc, auroc_of_histograms, auroc_of_images, cohens_d
from se_viz.profiles.class_profiles import Histogram


@pytest.fixture
def two():
    rng = np.random.default_rng(0)
    s = np.concatenate([rng.beta(2, 3, (40, 5)), rng.beta(3, 3, (25, 5))])
    s[:, 4] = 0.25
    return s, np.repeat([0, 1], [40, 25])


def area_under_roc(positive, score):
    """By the trapezoid rule over all thresholds, which is another way than by ranks."""
    thresholds = np.concatenate([[np.inf], np.unique(score)[::-1]])
    hits, alarms = ([(score[group] >= t).mean() for t in thresholds] for group in (positive, ~positive))
    return np.trapezoid(hits, alarms)


def test_cohens_d_is_the_t_test_without_the_numbers_of_images(make_profiles, two):
    s, labels = two
    d = cohens_d(make_profiles({"SE_2_1": s}, labels, "ab")["SE_2_1"], "a", "b")
    t = ttest_ind(s[:40, :4], s[40:, :4]).statistic
    np.testing.assert_allclose(d[:4], t * np.sqrt(1 / 40 + 1 / 25), rtol=1e-3)
    assert np.isnan(d[4])
    one = make_profiles({"SE_2_1": s[:2]}, np.array([0, 1]), "ab")["SE_2_1"]
    assert np.isnan(cohens_d(one, "a", "b")).all()


def test_auroc_of_single_images_is_the_area_under_the_roc_curve(make_profiles, two):
    s, labels = two
    gate = make_profiles({"SE_2_1": s}, labels, "ab", images=True)["SE_2_1"]
    wanted = [area_under_roc(labels == 0, s[:, channel]) for channel in range(5)]
    found = auroc(gate, "a", "b")
    np.testing.assert_allclose(found.value, wanted)
    np.testing.assert_allclose(auroc(gate, "b", "a").value, 1 - found.value)
    assert found.margin.tolist() == [0] * 5


def test_auroc_of_histograms_is_within_its_margin(make_profiles, two):
    s, labels = two
    found = auroc(make_profiles({"SE_2_1": s}, labels, "ab")["SE_2_1"], "a", "b")
    wanted = np.array([area_under_roc(labels == 0, s[:, channel]) for channel in range(5)])
    assert (np.abs(found.value - wanted) <= found.margin + 1e-9).all()
    assert found.margin[:4].max() < 0.05
    assert found.value[4] == 0.5


def test_ties_of_heaps_and_of_single_images_are_ties(make_profiles):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [60, 40])
    # A sigmoid near 0.5, by less than 16 bits tell apart, and one with heaps.
    close = 0.5 + rng.normal(labels[:, None], 1, (100, 3)) * 2.0**-22
    heaped = rng.choice([0.0, 0.5, 1.0], (100, 3), p=[0.3, 0.5, 0.2])
    for s in (close.astype(np.float32), heaped):
        wanted = mannwhitneyu(*(s[labels == label].astype(np.float64) for label in (0, 1)), axis=0).statistic / 2400
        found = auroc(make_profiles({"SE_2_1": s}, labels, "ab", images=True)["SE_2_1"], "a", "b")
        np.testing.assert_allclose(found.value, wanted, atol=1e-12)
        assert found.margin.tolist() == [0] * 3
    found = auroc(make_profiles({"SE_2_1": heaped}, labels, "ab")["SE_2_1"], "a", "b")
    np.testing.assert_allclose(found.value, wanted, atol=1e-12)
    assert found.margin.tolist() == [0] * 3


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_rounding_of_single_images_is_within_the_margin(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = rng.beta(2, 3, (n, 3)), rng.beta(3, 3, (m, 3))
    found = auroc_of_images(a.round(1), b.round(1), rounded=True)
    wanted = mannwhitneyu(a, b, axis=0).statistic / (n * m)
    assert (np.abs(found.value - wanted) <= found.margin + 1e-12).all()
    np.testing.assert_allclose(found.value, auroc_of_images(a.round(1), b.round(1)).value)


def test_slack_of_borders_widens_the_margin():
    counts, edges = np.ones((1, 2)), np.array([[0.2, 0.3, 0.4]])
    sure = auroc_of_histograms(Histogram(counts, edges), Histogram(counts, edges + 0.3))
    unsure = auroc_of_histograms(Histogram(counts, edges, slack=0.2), Histogram(counts, edges + 0.3, slack=0.2))
    assert (sure.value, sure.margin) == (0, 0)
    assert unsure.margin > 0.5


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_borders_may_differ_between_the_classes(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = rng.choice(rng.uniform(size=8), n), rng.choice(rng.uniform(size=8), m)
    histograms = []
    for values in (a, b):
        edges = np.sort(np.quantile(values, [0, 0.3, 0.7, 1]))
        counts = np.histogram(values, np.unique(edges))[0] if edges[0] < edges[-1] else np.array([len(values)])
        unique = np.unique(edges) if edges[0] < edges[-1] else edges[[0, -1]]
        histograms.append(Histogram(counts[None].astype(float), unique[None]))
    found = auroc_of_histograms(*histograms)
    wanted = area_under_roc(np.repeat([True, False], [n, m]), np.concatenate([a, b]))
    assert abs(found.value[0] - wanted) <= found.margin[0] + 1e-6
    np.testing.assert_allclose(found.value + auroc_of_histograms(*reversed(histograms)).value, 1, atol=1e-6)


def test_a_class_without_images_has_no_auroc():
    some, none = Histogram(np.ones((1, 2)), np.array([0, 0.5, 1])), Histogram(np.zeros((1, 2)), np.array([0, 0.5, 1]))
    assert np.isnan(auroc_of_histograms(some, none).value).all()
    assert np.isnan(auroc_of_images(np.zeros((0, 1)), np.zeros((3, 1))).value).all()


def test_bins_that_are_shared_give_what_any_bins_give():
    rng = np.random.default_rng(0)
    edges = np.linspace(0, 1, 9)
    a, b = (Histogram(rng.integers(0, 5, (4, 8)).astype(float), edges) for _ in "ab")
    wide = [Histogram(one.counts, np.broadcast_to(edges, (4, 9))) for one in (a, b)]
    shared, any_bins = auroc_of_histograms(a, b), auroc_of_histograms(*wide)
    np.testing.assert_allclose(shared.value, any_bins.value, atol=1e-12)
    # Of bins that differ, an image at a border may be tied with one of the next bin.
    assert (shared.margin <= any_bins.margin).all()
