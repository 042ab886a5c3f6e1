import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from se_viz.analysis.channel_order import order_channels

WEIGHTS = arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 40)),
    elements=st.floats(0, 1, width=32),
)


@given(WEIGHTS, st.sampled_from(["index", "mean", "variance", "similarity"]))
@example(np.zeros((2, 2), np.float32), "similarity")  # looks like a matrix of distances, and scipy says so
def test_every_order_shows_every_channel_once(s, by):
    assert sorted(order_channels(s, by)) == list(range(s.shape[1]))


@given(WEIGHTS)
def test_means_fall_from_left_to_right(s):
    assert (np.diff(s.mean(axis=0)[order_channels(s, "mean")]) <= 0).all()


@given(WEIGHTS)
def test_variances_fall_from_left_to_right(s):
    assert (np.diff(s.var(axis=0)[order_channels(s, "variance")]) <= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_channels_that_respond_alike_end_up_side_by_side(seed):
    rng = np.random.default_rng(seed)
    responses = rng.uniform(size=(4, 3)).astype(np.float32)
    kinds = rng.integers(0, 3, size=60)
    s = responses[:, kinds] + rng.normal(scale=1e-3, size=(4, 60)).astype(np.float32)
    ordered = kinds[order_channels(s, "similarity")]
    assert (np.diff(ordered) != 0).sum() == len(set(kinds)) - 1


def test_weights_that_are_not_finite_stay_in_the_order_of_the_network():
    s = np.array([[0.1, np.nan, 0.3], [0.5, 0.2, np.inf]], np.float32)
    assert order_channels(s, "similarity").tolist() == [0, 1, 2]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("by", ["index", "mean", "variance", "similarity"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_leave_every_channel_its_place(by, value):
    s = np.random.default_rng(0).uniform(size=(3, 8)).astype(np.float32)
    s[1, 2] = value
    assert sorted(order_channels(s, by)) == list(range(8))
