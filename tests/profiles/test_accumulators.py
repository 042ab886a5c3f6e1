"""The sums themselves: merging is associative, does not see the order, and gives what one pass gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from se_viz.profiles.accumulators import GateStatistics
from se_viz.profiles.exact_form import with_heaps
from se_viz.profiles.exact_sums import LIMIT, whole_steps
from se_viz.profiles.quantization import HEAPS, ordered
from se_viz.profiles.top_images import ImageTable, Ranking, best

CLASSES, CHANNELS = 3, 4
EXACT = ("count", "sum", "squares", "histogram", "heaps", "clipped", "low", "high")
# Few different values, so that ties are common: heaps, the same but for a digit, over 8, negative, beyond the limit.
VALUES = np.array([*HEAPS, 1e-30, 0.49999997, 0.50000006, 0.3, 19.0, -0.7, 300.0, 70_000.0], np.float32)


def arrays_of(seed, images):
    rng = np.random.default_rng(seed)
    s = rng.choice(rng.choice(VALUES, rng.integers(1, len(VALUES) + 1)), (images, CHANNELS))
    s = np.where(rng.uniform(size=s.shape) < 0.3, rng.beta(2, 5, s.shape).astype(np.float32), s)
    s[:, 0] = VALUES[seed % len(VALUES)]
    z = (rng.normal(size=(images, CHANNELS)) * 10.0 ** rng.integers(-3, 4)).astype(np.float32)
    return s, z, rng.integers(0, CLASSES, images)


def total(parts):
    sums = GateStatistics.empty(CLASSES, CHANNELS)
    for part in parts:
        sums.add(part, np.arange(CLASSES))
    return sums


def assert_same(one, other):
    for name in EXACT:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    z, wide = one.z, other.z
    np.testing.assert_array_equal([z.low, z.high], [wide.low, wide.high])
    scale = 1 + np.abs(np.where(np.isfinite(z.high), np.maximum(-z.low, z.high), 0))
    np.testing.assert_allclose(z.mean / scale, wide.mean / scale, rtol=0, atol=1e-12)
    np.testing.assert_allclose(z.m2 / scale**2, wide.m2 / scale**2, rtol=1e-10, atol=1e-10)


@pytest.mark.slow
@given(st.integers(0, 10**6), st.integers(0, 40), st.data())
@settings(max_examples=40, deadline=None)
def test_any_cut_any_order_and_any_grouping_gives_what_one_pass_gives(seed, images, data):
    arrays = arrays_of(seed, images)
    cuts = sorted(data.draw(st.lists(st.integers(0, images), max_size=4)))
    parts = [
        GateStatistics.of(*(array[start:stop] for array in arrays), CLASSES)
        for start, stop in zip([0, *cuts], [*cuts, images], strict=True)
    ]
    one_pass = GateStatistics.of(*arrays, CLASSES)
    assert_same(total(parts), one_pass)
    assert_same(total(data.draw(st.permutations(parts))), one_pass)
    middle = data.draw(st.integers(0, len(parts)))
    assert_same(total([total(parts[:middle]), total(parts[middle:])]), one_pass)


@given(st.integers(0, 10**6), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_one_pass_gives_what_numpy_gives(seed, images):
    s, z, labels = arrays_of(seed, images)
    sums = GateStatistics.of(s, z, labels, CLASSES)
    for label in range(CLASSES):
        own, deep = s[labels == label], z[labels == label].astype(np.float64)
        assert sums.count[label] == len(own)
        if not len(own):
            continue
        assert sums.sum[label].tolist() == whole_steps(own).sum(0).tolist()
        assert sums.clipped[label].tolist() == (np.abs(own) > LIMIT).sum(0).tolist()
        np.testing.assert_allclose(sums.z.mean[label], deep.mean(0))
        np.testing.assert_allclose(sums.z.m2[label], deep.var(0) * len(deep), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@given(st.integers(0, 10**6), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_heaps_are_counted_exactly_and_bins_hold_what_lies_between_their_borders(seed, images):
    s, z, labels = arrays_of(seed, images)
    # Where s reaches beyond 16,000, a heap may lie in a bin.
    s[np.abs(s) > 1000] = 7.5
    sums = GateStatistics.of(s, z, labels, CLASSES)
    counts, edges = with_heaps(sums.histogram, sums.heaps, sums.low, sums.high)
    assert (np.diff(edges) >= 0).all()
    for label in range(CLASSES):
        own = s[labels == label]
        for channel in range(CHANNELS):
            held, borders = counts[label, channel], edges[channel]
            for left, right, number in zip(borders[:-1], borders[1:], held, strict=True):
                if left == right:
                    assert number <= (own[:, channel] == np.float32(left)).sum()
                elif number:
                    assert number <= ((left <= own[:, channel]) & (own[:, channel] <= right)).sum()
            assert held.sum() == len(own)
            for heap in HEAPS:
                wide = np.diff(borders) == 0
                assert held[wide & (borders[:-1] == heap)].sum() == (own[:, channel] == np.float32(heap)).sum()


def test_a_heap_inside_a_very_wide_bin_is_counted_in_it():
    s = np.array([[6.0], [0.1], [6e4], [0.0]], np.float32)
    sums = GateStatistics.of(s, None, np.zeros(4, np.intp), 1)
    counts, edges = with_heaps(sums.histogram, sums.heaps, sums.low, sums.high)
    assert (np.diff(edges) >= 0).all()
    held = np.flatnonzero(counts[0, 0])
    assert counts[0, 0, held].tolist() == [1, 1, 1, 1]
    assert (edges[0, held[0]], edges[0, held[0] + 1]) == (0, 0)
    assert edges[0, held[2]] < 6 < edges[0, held[2] + 1]


@given(st.integers(0, 10**6), st.integers(0, 12), st.data())
@settings(max_examples=40, deadline=None)
def test_the_best_images_do_not_depend_on_the_cut_and_ties_go_to_the_first_name(seed, images, data):
    codes = ordered(arrays_of(seed, images)[0])
    names = data.draw(st.lists(st.sampled_from("abcd"), min_size=images, max_size=images))
    table = ImageTable(names, [f"{index:02x}" for index in range(images)], np.zeros(images, np.uint32))
    ranking = Ranking(table)
    cut = data.draw(st.integers(0, images))
    halves = [ranking.of_images(codes[:cut], 0, 3), ranking.of_images(codes[cut:], cut, 3)]
    if data.draw(st.booleans()):
        halves.reverse()
    indices, values = ranking.unpack(best(np.concatenate(halves, axis=1), 3))
    for channel in range(CHANNELS):
        for end, sign in ((0, -1), (1, 1)):
            order = sorted(range(images), key=lambda i: (sign * int(codes[i, channel]), names[i], table.sha256[i]))
            wanted = (order[:3] + [-1] * 3)[:3]
            assert indices[end, :, channel].tolist() == wanted
            assert values[end, :, channel].tolist() == [int(codes[i, channel]) if i >= 0 else 0 for i in wanted]
