import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from se_viz.analysis.histogram import quantiles, share_below
from se_viz.profiles.class_profiles import Histogram


@given(st.integers(0, 1000), st.integers(1, 200), st.floats(0, 1))
def test_shares_and_quantiles_are_those_of_the_values_to_within_a_bin(seed, images, share):
    values = np.random.default_rng(seed).beta(2, 5, images)
    counts, edges = np.histogram(values, 64, (0, 1))
    histogram = Histogram(counts[None].astype(float), edges)
    held = counts[min(63, int(share * 64))] / images
    assert abs(share_below(histogram, share)[0] - (values < share).mean()) <= held + 1e-9
    (found,) = quantiles(histogram, [share])
    below = np.quantile(values, share, method="inverted_cdf")
    above = np.quantile(values, share, method="higher")
    assert below - 1 / 64 - 1e-9 <= found[0] <= above + 1 / 64 + 1e-9


def test_bins_may_differ_by_channel_and_have_no_width():
    histogram = Histogram(np.array([[2.0, 2.0], [2.0, 2.0]]), np.array([[0.0, 0.5, 1.0], [0.3, 0.3, 0.3]]))
    assert quantiles(histogram, [0.5, 0.75]).tolist() == [[0.5, 0.3], [0.75, 0.3]]
    assert share_below(histogram, 0.25).tolist() == [0.25, 0]
    assert share_below(histogram, 0.4).tolist() == pytest.approx([0.4, 1])


def test_without_images_there_is_no_share():
    empty = Histogram(np.zeros((1, 4)), np.linspace(0, 1, 5))
    assert np.isnan(share_below(empty, 0.5)).all()
    assert np.isnan(quantiles(empty, [0.5])).all()


def test_heaps_are_exact():
    heaps = Histogram(np.array([[3.0, 0.0, 4.0, 0.0, 1.0]]), np.array([0.0, 0.0, 0.5, 0.5, 1.0, 1.0]))
    assert quantiles(heaps, [0.1, 0.25, 0.5, 0.75, 0.95])[:, 0].tolist() == [0, 0, 0.5, 0.5, 1]
    assert share_below(heaps, 0)[0] == 0
    assert share_below(heaps, 0.25)[0] == share_below(heaps, 0.5)[0] == 3 / 8
    assert share_below(heaps, 1)[0] == 7 / 8
