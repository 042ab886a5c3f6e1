import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from se_viz.profiles.compact_rounding import base, octaves, pack_mean, pack_std, unpack_mean, unpack_std

SPREADS = st.one_of(st.just(0.0), st.floats(1e-8, 3e4))


@given(SPREADS, st.floats(-6e4, 6e4), st.floats(-30, 30))
def test_a_mean_is_off_by_less_than_a_thirtieth_of_the_deviation_and_than_half_a_thousandth(spread, centre, apart):
    scale = octaves(np.array([spread]))
    near, mean = base(np.array([centre]), scale), np.array([[centre + apart * spread]])
    error = abs(unpack_mean(pack_mean(mean, near, scale), near, scale) - mean)[0, 0]
    assert error <= max(2.0**-25, min(spread / 32, 2.0**-11)) * 1.0001


@pytest.mark.slow
@given(SPREADS, st.floats(0, 15))
def test_a_deviation_is_off_by_two_percent_and_none_stays_none(spread, share):
    scale = octaves(np.array([spread]))
    std = np.array([[spread * share]])
    found = unpack_std(pack_std(std, scale), scale)[0, 0]
    if std[0, 0] == 0:
        assert found == 0
    elif share > 1 / 100:
        assert abs(found / std[0, 0] - 1) < 0.022
    else:
        assert found <= spread / 50
