"""The syntax of edits: s is replaced as a plain reading of an edit says, or a sentence names what is wrong."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from se_viz.interventions.edits import MeanOf, Scale, Shuffle, Swap, mean_of, resolve, scale, shuffle, swap

IMAGES, CHANNELS = 3, 4
GATES = [
    SimpleNamespace(name=f"SE_{stage}_{block}", stage=stage, channels=CHANNELS) for stage in (2, 3) for block in (1, 2)
]
S = {gate.name: np.random.default_rng(index).random((IMAGES, CHANNELS)) for index, gate in enumerate(GATES)}
OTHER, MEAN, CAT = np.full(CHANNELS, 0.25), np.full(CHANNELS, 0.5), np.full(CHANNELS, 0.75)


class Sources:
    """Values of an imaginary network."""

    images = IMAGES

    @staticmethod
    def computed(gate):
        return S[gate]

    @staticmethod
    def computed_of(_image, _gate):
        return OTHER[None]

    @staticmethod
    def mean(_gate, name):
        if name not in (None, "cat"):
            raise KeyError(f"There is no class {name!r}: choose one of cat")
        return MEAN if name is None else CAT


finite = st.floats(-2, 2, width=32)
good = st.one_of(
    finite,
    st.just("mean"),
    st.builds(mean_of, st.just("cat")),
    st.builds(scale, finite),
    st.builds(shuffle, st.integers(0, 9)),
    st.builds(swap, st.just("an image")),
    arrays(np.float32, CHANNELS, elements=finite),
    arrays(np.float32, (IMAGES, CHANNELS), elements=finite),
)
edit = good | st.dictionaries(st.integers(0, CHANNELS - 1), good, max_size=3)
key = st.sampled_from(["all", "stage 2", "stage 3", *S])


def read_plainly(edit, s, wider=None):
    """s (N, C) as edited, without the edits of a shuffle, which only has to be another image's.

    Single channels are laid over ``wider``, which is s without a wider edit.
    """
    if isinstance(edit, dict):
        new = (s if wider is None else wider).copy()
        for channel, part in edit.items():
            new[:, channel] = read_plainly(part, s)[:, channel]
        return new
    if isinstance(edit, Shuffle):
        return np.full_like(s, np.nan)
    if isinstance(edit, Scale):
        return s * edit.factor
    fixed = {Swap: OTHER, MeanOf: CAT, str: MEAN}.get(type(edit), edit)
    return np.broadcast_to(np.asarray(fixed, np.float64), s.shape)


@pytest.mark.slow
@given(st.dictionaries(key, edit, max_size=4))
def test_edits_are_read_plainly(edits):
    found = resolve(edits, GATES, Sources)
    for gate in GATES:
        named = [edits[one] for one in (gate.name, f"stage {gate.stage}", "all") if one in edits]
        assert (gate.name in found) == bool(named)
        if not named:
            continue
        s = S[gate.name]
        whole = found[gate.name](torch.from_numpy(s), 0).numpy()
        # In batches of one, as an image alone must get what it gets among others.
        rows = [found[gate.name](torch.from_numpy(s[at : at + 1]), at).numpy() for at in range(IMAGES)]
        np.testing.assert_array_equal(whole, np.concatenate(rows))
        expected = None
        for one in reversed(named):
            expected = read_plainly(one, s, expected)
        dealt = np.isnan(expected)
        np.testing.assert_allclose(whole[~dealt], expected[~dealt], rtol=1e-6)
        for image, channel in np.argwhere(dealt):
            others = np.delete(s[:, channel], image)
            assert whole[image, channel] in others


bad_values = st.one_of(
    st.sampled_from([np.nan, np.inf, "median", "", None, object(), 1j, mean_of("dog"), scale(np.nan), [1.0, "x"]]),
    arrays(np.float32, st.sampled_from([0, 3, 5, (2, CHANNELS), (IMAGES, 3), (1, IMAGES, CHANNELS)]), elements=finite),
)
bad = st.one_of(
    st.tuples(key, bad_values),
    st.tuples(key, st.dictionaries(st.integers(0, CHANNELS - 1), bad_values, min_size=1, max_size=1)),
    st.tuples(key, st.dictionaries(st.sampled_from([-1, CHANNELS, "0", 1.0, None, True]), good, min_size=1)),
    st.tuples(st.sampled_from(["SE_9_9", "stage 9", "", "ALL", "stage2", 3, None]), good),
)


@given(bad)
def test_a_fault_is_named(pair):
    name, edit = pair
    with pytest.raises((KeyError, ValueError, TypeError)) as caught:
        resolve({name: edit}, GATES, Sources)
    # Of the network's gates, or of the class profiles' classes.
    assert "SE_" in str(caught.value) or "There is no class 'dog'" in str(caught.value)


def test_numbers_of_channels_are_set_at_once_in_the_precision_of_s():
    replace = resolve({"SE_2_1": {0: 0.1, 3: 1, 2: "mean"}}, GATES, Sources)["SE_2_1"]
    s = torch.from_numpy(S["SE_2_1"])
    np.testing.assert_array_equal(replace(s, 0)[:, [0, 2, 3]], [[0.1, MEAN[2], 1]] * IMAGES)
    np.testing.assert_array_equal(replace(s, 0)[:, 1], s[:, 1])
