"""The AUROC of a compact file's bins, against scipy."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from se_viz.profiles.binning import auroc_table, bins, simplest
from se_viz.profiles.quantization import HEAPS, ordered, unordered

CLASSES = 4


def shapes(seed, images):
    """S of one channel as gate functions give it, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, images)
    s = [
        lambda: rng.beta(2, 5, images) + 0.1 * labels,
        lambda: np.maximum(rng.normal(0, 6, images) + labels, 0),
        lambda: 0.5 + rng.choice([0, 1e-7, 1e-6, 2e-6], images) * labels,
        lambda: np.clip(rng.normal(0.5, 0.6, images), 0, 1),
        lambda: np.tanh(rng.normal(-1, 3, images)),
        lambda: rng.choice([0.0, 0.5, 1.0, 0.3, 19.0, 19.002], images),
        lambda: np.full(images, 0.3),
        lambda: np.exp(rng.normal(0, 4, images)),
        lambda: 12 + 1e-4 * rng.normal(size=images) + 1e-4 * labels,
        lambda: np.round(rng.beta(1, 1, images), 2),
    ][seed % 10]()
    return s.astype(np.float32), labels


@pytest.mark.slow
@given(st.integers(0, 10**6), st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_no_auroc_is_off_by_more_than_is_said(seed, images):
    s, labels = shapes(seed, images)
    found = bins(s, labels, CLASSES)
    assert found.error <= 0.01
    assert found.counts.sum(axis=0).tolist() == np.bincount(labels, minlength=CLASSES).tolist()
    table = auroc_table(found.counts)
    for a, b in combinations(range(CLASSES), 2):
        own, other = (s[labels == label].astype(np.float64) for label in (a, b))
        if len(own) and len(other):
            wanted = mannwhitneyu(own, other).statistic / (len(own) * len(other))
            assert abs(table[a, b] - wanted) <= found.error + 1e-12


@given(st.integers(0, 10**6), st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_bins_hold_the_images_between_their_borders_and_heaps_those_with_their_value(seed, images):
    s, labels = shapes(seed, images)
    found = bins(s, labels, CLASSES)
    edges = unordered(found.edges)
    assert (np.diff(edges) >= 0).all()
    lefts, rights, held = edges[:-1], edges[1:], found.counts
    for left, right, numbers in zip(lefts, rights, held, strict=True):
        inside = (s == left) if left == right else (left <= s) & (s <= right)
        assert (numbers <= np.bincount(labels[inside], minlength=CLASSES)).all()
    for heap in HEAPS:
        here = (lefts == rights) & (lefts == np.float32(heap))
        assert held[here].sum() == (s == np.float32(heap)).sum()
    values, numbers = np.unique(s, return_counts=True)
    for value in values[numbers > max(1, images / 8)]:
        assert ((lefts == rights) & (lefts == value)).any()


@given(st.floats(-20, 20, width=32), st.floats(-20, 20, width=32))
def test_the_simplest_number_lies_between(one, other):
    low, high = ordered(np.sort(np.array([one, other], np.float32)))
    if low < high:
        assert low < simplest(low, high) <= high
    assert unordered(simplest(ordered(np.float32([0.3001])), ordered(np.float32([0.7]))))[0] == 0.5


def test_many_images_need_few_bins():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 400)
    s = (1 / (1 + np.exp(-rng.normal(labels / 5, 1)))).astype(np.float32)
    assert len(bins(s, labels, 10).counts) <= 40


@pytest.mark.parametrize("images", [1, 2])
def test_an_image_or_two_are_bins_too(images):
    found = bins(np.float32([0.3, 0.7][:images]), np.arange(images), 2)
    assert found.counts.sum() == images
    assert found.error == 0
