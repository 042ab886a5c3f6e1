import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from se_viz.atlas.codec import BINS, RANGES, TOP, Scale, bins, scale_of

SCALES = st.sampled_from([scale_of(name) for name in (*RANGES, "other")])


@given(SCALES, st.floats(0, 1, width=32))
def test_a_weight_in_the_range_comes_back_within_half_a_step(scale, share):
    s = np.float32(scale.low + share * (scale.high - scale.low))
    if not scale.outside(np.array(s)):
        assert abs(scale.decode(scale.encode(np.array(s))) - s) <= scale.step * 0.5000001


@given(SCALES, st.integers(0, TOP))
def test_every_code_comes_back(scale, code):
    assert scale.encode(scale.decode(np.array(code, np.uint16))) == code


@given(SCALES, arrays(np.float32, 20, elements=st.floats(-100, 100, width=32)))
def test_order_is_kept_and_what_is_outside_is_counted_and_moved_to_the_end(scale, s):
    codes = scale.encode(np.sort(s))
    assert (np.diff(codes.astype(int)) >= 0).all()
    outside = scale.outside(s)
    assert (outside == ((s < scale.low) | (s > scale.high))).all()
    assert set(scale.encode(s[outside]).tolist()) <= {0, TOP}


@given(st.integers(0, TOP))
def test_a_code_lies_between_the_borders_of_its_bin(code):
    scale = Scale(-1, 1)
    left, right = scale.edges()[bins(np.array(code, np.uint16)) + np.arange(2)]
    assert left < scale.decode(np.array(code)) < right
    assert len(scale.edges()) == BINS + 1


@pytest.mark.parametrize(("function", "low", "high"), [("sigmoid", 0, 1), ("hard-sigmoid", 0, 1), ("tanh", -1, 1)])
def test_gate_functions_that_end_have_their_own_range(function, low, high):
    assert scale_of(function) == Scale(low, high)
    assert scale_of(function).decode(np.array([0, TOP])).tolist() == [low, high]
