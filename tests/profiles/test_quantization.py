import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from se_viz.profiles.quantization import BINS, HEAPS, bin_code, bin_edge, grid, ordered, regrid, unordered

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
WEIGHTS = arrays(np.float32, st.integers(1, 40), elements=st.one_of(FINITE, st.sampled_from([*HEAPS, 0.3, 19.0])))


@given(WEIGHTS)
def test_the_ordered_code_sorts_as_s_does_keeps_ties_and_loses_nothing(s):
    codes = ordered(s)
    np.testing.assert_array_equal(unordered(codes), s)
    assert ((codes[:, None] < codes) == (s[:, None] < s)).all()
    assert ((codes[:, None] == codes) == (s[:, None] == s)).all()


def test_minus_zero_is_zero_and_what_is_no_number_is_refused():
    assert len(set(ordered(np.array([0.0, -0.0], np.float32)).tolist())) == 1
    with pytest.raises(ValueError, match="not a number"):
        ordered(np.array([0.5, np.nan], np.float32))


@pytest.mark.slow
@given(WEIGHTS)
def test_a_weight_lies_in_the_step_of_its_bin_code(s):
    codes = bin_code(s)
    # Near 0 a float32 is finer than 2⁻⁵³, to which the code tells numbers apart; far from it an edge is rounded.
    off = 2.0**-52 * np.maximum(1, np.abs(s.astype(float)))
    assert (bin_edge(codes) <= s.astype(float) + off).all()
    assert (s.astype(float) < bin_edge(codes + 1) + off).all()
    assert (np.diff(bin_code(np.sort(s))) >= 0).all()
    small = np.abs(s) < 1
    assert (bin_edge(codes + 1) - bin_edge(codes))[small] == pytest.approx(2.0**-24, rel=1)


@given(st.integers(-(2**30), 2**30))
def test_every_code_comes_back(code):
    assert bin_code(bin_edge(np.array(code))) == code


@given(WEIGHTS, st.data())
def test_a_grid_is_the_narrowest_that_holds_both_ends_and_becomes_a_wider_one_exactly(s, data):
    part = s[: data.draw(st.integers(1, len(s)))]
    (first, k), (start, narrow) = (grid(values.min(keepdims=True), values.max(keepdims=True)) for values in (s, part))
    places = (bin_code(s) >> k) - first
    assert places.min() == 0
    assert places.max() < BINS
    assert k == 0 or (bin_code(s.max()) >> (k - 1)) - (bin_code(s.min()) >> (k - 1)) >= BINS
    counts = np.bincount((bin_code(part) >> narrow) - start, minlength=BINS).astype(np.uint32)[None, None]
    wanted = np.bincount((bin_code(part) >> k) - first, minlength=BINS)
    assert regrid(counts, (start, narrow), (first, k))[0, 0].tolist() == wanted.tolist()


def test_a_grid_of_nothing_is_something():
    first, k = grid(np.array([np.inf], np.float32), np.array([-np.inf], np.float32))
    assert first.tolist() == k.tolist() == [0]
