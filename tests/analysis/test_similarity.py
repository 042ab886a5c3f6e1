import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from se_viz.analysis.similarity import effective_rank, linear_cka


def weights(seed: int, images: int, channels: int):
    return np.random.default_rng(seed).uniform(size=(images, channels)).astype(np.float32)


def rotation(seed: int, channels: int):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(channels, channels)))[0]


SIZES = st.integers(3, 12)


@given(st.integers(0, 100), SIZES, SIZES)
def test_cka_does_not_see_rotations_scale_and_offset(seed, images, channels):
    s = weights(seed, images, channels)
    assert linear_cka(s, 0.3 * s @ rotation(seed, channels) + 2) == pytest.approx(1)


@given(st.integers(0, 100), SIZES, SIZES, SIZES)
def test_cka_is_the_published_formula_whatever_is_fewer(seed, images, first, second):
    a, b = weights(seed, images, first).astype(float), weights(seed + 1, images, second).astype(float)
    value = linear_cka(a, b)
    a, b = a - a.mean(0), b - b.mean(0)
    hsic = [np.trace(x @ x.T @ y @ y.T) for x, y in ((a, b), (a, a), (b, b))]
    assert value == pytest.approx(hsic[0] / math.sqrt(hsic[1] * hsic[2]))
    assert 0 <= value <= 1 + 1e-9


def test_cka_of_a_gate_that_never_moves_is_no_number():
    assert math.isnan(linear_cka(np.full((4, 3), 0.5), weights(0, 4, 3)))
    with pytest.raises(ValueError, match="same images"):
        linear_cka(weights(0, 4, 3), weights(0, 5, 3))


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_rank_is_the_number_of_ways_when_all_are_equal(rank):
    ways = rotation(rank, 16)[:, :rank] - rotation(rank, 16)[:, :rank].mean(0)
    equal = np.linalg.qr(ways)[0] @ rotation(3, 20)[:rank]
    assert effective_rank(equal) == pytest.approx(rank)


@given(st.integers(0, 100), SIZES, SIZES)
def test_rank_is_bounded_and_does_not_see_scale_and_offset(seed, images, channels):
    s = weights(seed, images, channels).astype(float)
    assert 1 - 1e-9 <= effective_rank(s) <= min(images - 1, channels) + 1e-6
    assert effective_rank(5 * s + 3) == pytest.approx(effective_rank(s))


@given(st.floats(0, 1), SIZES, SIZES)
def test_a_gate_that_never_moves_has_rank_zero(value, images, channels):
    assert effective_rank(np.full((images, channels), value, np.float32)) == 0
