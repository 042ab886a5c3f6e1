"""The sums themselves: merging is associative, does not see the order, and gives what one pass gives."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from se_viz.atlas.codec import BINS, bins
from se_viz.atlas.examples import ImageTable, Ranking, best
from se_viz.atlas.statistics import GateStatistics

CLASSES, CHANNELS = 3, 4
EXACT = ("count", "sum", "sum2", "histogram", "outside", "z_low", "z_high")


def readings(seed, images):
    rng = np.random.default_rng(seed)
    # Few different codes, so that ties are common.
    codes = rng.choice([0, 1, 1023, 1024, 40000, 65535], (images, CHANNELS)).astype(np.uint16)
    z = (rng.normal(size=(images, CHANNELS)) * 10.0 ** rng.integers(-3, 4)).astype(np.float32)
    return codes, rng.uniform(size=codes.shape) < 0.1, z, rng.integers(0, CLASSES, images)


def total(parts):
    sums = GateStatistics.empty(CLASSES, CHANNELS)
    for part in parts:
        sums.add(part, np.arange(CLASSES))
    return sums


def assert_same(one, other):
    for name in EXACT:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    scale = 1 + np.abs(np.where(np.isfinite(one.z_high), np.maximum(-one.z_low, one.z_high), 0))
    np.testing.assert_allclose(one.z_mean / scale, other.z_mean / scale, rtol=0, atol=1e-12)
    np.testing.assert_allclose(one.z_m2 / scale**2, other.z_m2 / scale**2, rtol=1e-10, atol=1e-10)


@given(st.integers(0, 10**6), st.integers(0, 40), st.data())
@settings(max_examples=40, deadline=None)
def test_any_cut_any_order_and_any_grouping_gives_what_one_pass_gives(seed, images, data):
    arrays = readings(seed, images)
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
@settings(max_examples=20, deadline=None)
def test_one_pass_gives_what_numpy_gives(seed, images):
    codes, outside, z, labels = readings(seed, images)
    sums = GateStatistics.of(codes, outside, z, labels, CLASSES)
    for label in range(CLASSES):
        own, deep = codes[labels == label].astype(object), z[labels == label].astype(np.float64)
        assert sums.count[label] == len(own)
        if not len(own):
            continue
        assert sums.sum[label].tolist() == own.sum(0).tolist()
        assert sums.sum2[label].tolist() == (own**2).sum(0).tolist()
        assert sums.outside[label].tolist() == outside[labels == label].sum(0).tolist()
        np.testing.assert_allclose(sums.z_mean[label], deep.mean(0))
        np.testing.assert_allclose(sums.z_m2[label], deep.var(0) * len(deep), rtol=1e-9, atol=1e-12)
        for channel in range(CHANNELS):
            counted = np.bincount(bins(codes[labels == label, channel]), minlength=BINS)
            assert sums.histogram[label, channel].tolist() == counted.tolist()


@given(st.integers(0, 10**6), st.integers(0, 12), st.data())
@settings(max_examples=40, deadline=None)
def test_the_best_images_do_not_depend_on_the_cut_and_ties_go_to_the_first_name(seed, images, data):
    codes = readings(seed, images)[0]
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
