from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from se_viz.profiles.exact_sums import LIMIT, is_clipped, mean_and_std, sums, whole_steps

WEIGHTS = arrays(
    np.float32,
    st.tuples(st.integers(1, 30), st.just(1)),
    elements=st.one_of(
        st.floats(0, 1, width=32), st.floats(-70_000, 70_000, width=32), st.sampled_from([0.0, 0.5, 1.0, 12.35, LIMIT])
    ),
)


@given(WEIGHTS, st.data())
def test_sums_are_those_of_pythons_own_integers_in_any_cut(s, data):
    steps, cut = whole_steps(s), data.draw(st.integers(0, len(s)))
    (total, squares), (more, further) = sums(steps[:cut]), sums(steps[cut:])
    whole = [int(m) for m in steps[:, 0]]
    assert (total + more).tolist() == [sum(whole)]
    high, low = squares + further
    assert low.tolist() == [sum(m * m for m in whole) % 2**64]
    assert high.tolist() == [sum(m * m >> 40 for m in whole)]


@pytest.mark.slow
@given(WEIGHTS)
def test_mean_and_deviation_are_exact_to_the_last_digits(s):
    steps = whole_steps(s)
    mean, std = mean_and_std(np.array([len(s)]), *sums(steps))
    whole = [Fraction(int(m), 2**24) for m in steps[:, 0]]
    centre = sum(whole) / len(whole)
    variance = sum((m - centre) ** 2 for m in whole) / len(whole)
    assert mean[0] == pytest.approx(float(centre), rel=1e-12, abs=1e-12)
    assert std[0] == pytest.approx(sqrt(variance), rel=1e-9, abs=1e-12)


def test_s_that_never_moves_has_no_deviation_and_a_little_movement_is_seen_on_large_s():
    constant = np.full((1000, 1), 12.3, np.float32)
    mean, std = mean_and_std(np.array([1000]), *sums(whole_steps(constant)))
    assert (mean[0], std[0]) == (np.float32(12.3), 0)
    constant[::2] = np.nextafter(np.float32(12.3), np.float32(13))
    _, std = mean_and_std(np.array([1000]), *sums(whole_steps(constant)))
    assert std[0] == pytest.approx(2.0**-21, rel=1e-6)


def test_eight_million_images_do_not_outgrow_it():
    steps = whole_steps(np.array([[LIMIT], [0.0]], np.float32))
    total, squares = sums(steps)
    many = 1 << 22
    mean, std = mean_and_std(np.array([2 * many]), total * many, squares * np.uint64(many))
    assert mean[0] == std[0] == LIMIT / 2


def test_what_lies_beyond_is_told_and_counts_as_the_limit():
    s = np.array([[LIMIT], [1e5], [-1e30]], np.float32)
    assert is_clipped(s)[:, 0].tolist() == [False, True, True]
    assert whole_steps(s)[:, 0].tolist() == [2**40, 2**40, -(2**40)]


def test_no_images_have_no_mean():
    nothing = np.zeros((0, 2), np.int64)
    assert np.isnan(mean_and_std(np.zeros(2, np.int64), *sums(nothing))).all()
