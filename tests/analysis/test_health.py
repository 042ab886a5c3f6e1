import json
import re
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from se_viz.analysis.health import health
from se_viz.analysis.verdicts import VERDICTS, definitions, verdict_counts
from se_viz.gates.gate_functions import GATE_FUNCTIONS

RNG = np.random.default_rng(0)
N, C = 12, 400
EFFECT = "measured by intervention, not here"


def channels(low, high, n=N, c=C):
    """Each channel has its own weight in all images."""
    return np.tile(RNG.uniform(low, high, c), (n, 1))


def images(low, high, n=N, c=C):
    """Each image has its own weight in all channels."""
    return np.tile(np.linspace(low, high, n)[:, None], (1, c))


def both(low, high, n=N, c=C):
    return RNG.uniform(low, high, (n, c))


def full(value, n=N, c=C):
    return np.full((n, c), float(value))


def flipping(value, some, n=N, c=C):
    """Some channels flip between 0 and 1, the others keep a value."""
    s = full(value, n, c)
    s[:, :some] = (np.arange(n)[:, None] + np.arange(some)) % 2
    return s


def put(s, value, *places):
    s = s.copy()
    for place in places:
        s[place] = value
    return s


def beside(*parts):
    return np.concatenate(parts, axis=1)


def above(*parts):
    return np.concatenate(parts)


# Patterns of s, the gate functions that can give them, the verdict and words of the sentence.
ANY = ("", *GATE_FUNCTIONS)
SIGMOIDS = ("sigmoid", "hard-sigmoid", "relu", "relu6", "")
UNBOUNDED = ("relu", "")
GRID = {
    "all 0": (full(0), ("relu", "relu6", "hard-sigmoid", "tanh", ""), "dead", ["All 400 channels", "near 0"]),
    "all near 0": (full(0.02), ANY, "dead", ["near 0", "0.02"]),
    "near 0, moving": (both(0, 0.09), ANY, "dead", ["suppresses"]),
    "near 0, one pair at 0.11": (put(both(0, 0.09), 0.11, (3, 7)), ANY, "dead", ["0.11"]),
    "all near 1": (full(0.98), ANY, "saturated", ["400 of 400 channels stay near 1", "nearly unchanged", EFFECT]),
    "near 1, moving": (both(0.92, 1), ANY, "saturated", ["nearly unchanged"]),
    "0 or 1 by channel": (flipping(0.0, 0), ANY, "dead", []),
    "mixed 0 and 1": (
        np.tile(np.arange(C) % 4 < 1, (N, 1)).astype(float),
        ANY,
        "saturated",
        ["300 of 400 channels stay near 0, 100 near 1"],
    ),
    "near −1": (channels(-1, -0.92), ("tanh",), "saturated", ["near −1", "−1.00 to −0.92"]),
    "near −1 of no tanh": (channels(-1, -0.92), UNBOUNDED, "constant", ["Channels differ"]),
    "at 6": (full(6), ("relu6",), "saturated", ["400 of 400 channels stay near 6"]),
    "at 6 of no ReLU6": (full(6), UNBOUNDED, "constant", ["All channels get about 6.00"]),
    "stuck at 0.5": (full(0.5), ANY, "constant", ["All channels get about 0.50", "one fixed factor"]),
    "by channel": (channels(0.2, 0.8), ANY, "constant", ["Channels differ", "SD over channels 0.1"]),
    "by channel, noise": (channels(0.2, 0.8) + RNG.normal(0, 0.005, (N, C)), ANY, "constant", ["Channels differ"]),
    "by channel, two images": (channels(0.2, 0.8, 2), ANY, "constant", ["Over 2 images"]),
    "19 of 400 at 8": (
        beside(full(0, c=381), full(8, c=19)),
        UNBOUNDED,
        "constant",
        ["381 of 400 channels stay near 0"],
    ),
    "large, still": (8 + RNG.normal(0, 0.02, (N, C)), UNBOUNDED, "constant", ["SD over channels 0.02"]),
    "20 flip, 0.5": (flipping(0.5, 20), ANY, "mostly constant", ["380 of 400 channels do not change", "20 do"]),
    "20 flip in one image of 12": (
        put(full(0.4), 1, (0, slice(20))),
        ANY,
        "mostly constant",
        ["380 of 400 channels do not change", "20 do, up to 0.60"],
    ),
    "20 flip, 0.3": (flipping(0.3, 20), ANY, "mostly constant", ["380 of 400 channels do not change", "20 do"]),
    "20 flip, 0": (flipping(0, 20), ANY, "mostly constant", ["20 do, up to", "380 of 400 channels stay near 0"]),
    "20 flip, 1": (flipping(1, 20), ANY, "mostly constant", ["20 do, up to", "380 of 400 channels stay near 1"]),
    "1 flips": (flipping(0.5, 1), ANY, "mostly constant", ["399 of 400 channels do not change", "1 does"]),
    "19 of 400 from 4 to 12": (
        beside(full(0, c=381), both(4, 12, c=19)),
        UNBOUNDED,
        "mostly constant",
        ["381 of 400 channels do not change", "19 do", "381 of 400 channels stay near 0"],
    ),
    "one pair of 800,000": (
        put(full(0.4, 2000), 1, (7, 3)),
        ANY,
        "mostly constant",
        ["399 of 400", "1 does, up to 0.60"],
    ),
    "one odd image": (
        above(channels(0.2, 0.8, 1).repeat(49, 0), both(0, 1, 1)),
        ANY,
        "mostly constant",
        ["1 of 50 images"],
    ),
    "one odd image, all alike": (
        above(full(0.3, 49), full(0.9, 1)),
        ANY,
        "mostly constant",
        ["1 of 50 images", "0.60"],
    ),
    "one odd image of 10": (above(full(0.3, 9), full(0.9, 1)), ANY, "mostly constant", ["1 of 10 images"]),
    "odd image and channels": (
        above(flipping(0.3, 20, 49), full(0.9, 1)),
        ANY,
        "mostly constant",
        ["380 of 400 channels do not change", "20 do", "1 of 50 images"],
    ),
    "by image": (images(0.2, 0.8), ANY, "uniform", ["all 400 channels get the same weight", "0.20 to 0.80", EFFECT]),
    "by image, two": (images(0.2, 0.8, 2), ANY, "uniform", ["Over 2 images"]),
    "one of 3 images": (above(full(0.3, 2), full(0.9, 1)), ANY, "uniform", ["0.30 to 0.90"]),
    "one channel": (images(0.2, 0.8, c=1), ANY, "uniform", ["one channel", "0.20 to 0.80"]),
    "one channel, still": (full(0.4, c=1), ANY, "constant", ["The only channel gets about 0.40"]),
    "by image, 20 by channel": (
        beside(images(0.2, 0.8, c=380), both(0, 1, c=20)),
        SIGMOIDS,
        "mostly uniform",
        ["380 of 400 channels get the same weight", "20 do not"],
    ),
    "near 1, moving, 20 elsewhere": (
        beside(both(0.88, 1, c=380), both(0.2, 0.8, c=20)),
        ANY,
        "mostly saturated",
        ["380 of 400 channels stay near", "20 do not", EFFECT],
    ),
    "near 0, moving, 1 elsewhere": (
        beside(both(0, 0.12, c=399), both(0.2, 0.8, c=1)),
        ANY,
        "mostly saturated",
        ["399 of 400 channels stay near 0", "1 does not"],
    ),
    "both": (both(0.1, 0.9), ANY, "image-dependent", ["SD 0.2", "400 of 400 channels change", EFFECT]),
    "both, two images": (both(0.1, 0.9, 2), ANY, "image-dependent", ["Over 2 images"]),
    "half dead": (
        beside(full(0, c=200), both(0, 3, c=200)),
        UNBOUNDED,
        "image-dependent",
        ["200 of 400 channels stay near 0"],
    ),
    "sparse": (
        np.where(both(0, 1, 100) < 0.08, 5.0, 0.0),
        UNBOUNDED,
        "image-dependent",
        ["400 of 400 channels change"],
    ),
    "large": (both(1, 5), UNBOUNDED, "image-dependent", []),
    "negative": (both(-0.95, -0.65), ("tanh",), "image-dependent", []),  # channels with a negative sign are not near 0
    "60 of 400 flip": (flipping(0.3, 60), ANY, "image-dependent", ["60 of 400 channels change"]),
    "all flip": (flipping(0.3, C), ANY, "image-dependent", ["400 of 400 channels change"]),
    "one image": (
        both(0.2, 0.8, 1),
        ANY,
        "one image cannot tell",
        ["over 400 channels", "SD 0.1", "0% within 0.1 of 0"],
    ),
    "one image, all at 0": (full(0, 1), ANY, "one image cannot tell", ["100% within 0.1 of 0", "second image"]),
    "one image, one weight": (full(0.65, 1), ANY, "one image cannot tell", ["0.65 over 400 channels"]),
    "one image, one channel": (full(0.65, 1, 1), ANY, "one image cannot tell", ["over 1 channel "]),
    "one NaN": (
        put(both(0, 1), np.nan, (2, 3)),
        ANY,
        "not finite",
        ["1 is NaN", "1 of 400 channels", "1 of 12 images"],
    ),
    "all NaN": (full(np.nan), ANY, "not finite", ["4,800 are NaN", "400 of 400 channels", "12 of 12 images"]),
    "NaN in one image": (full(np.nan, 1), ANY, "not finite", ["400 are NaN", "1 of 1 image"]),
    "infinite": (put(both(0, 1), np.inf, (0, 0), (1, 1)), ANY, "not finite", ["2 are infinite", "2 of 400 channels"]),
    "NaN and −∞": (
        put(put(both(0, 1), np.nan, (0, 0)), -np.inf, (1, 0)),
        ANY,
        "not finite",
        ["1 is NaN and 1 is infinite"],
    ),
}


@pytest.mark.parametrize(
    ("pattern", "function"), [(pattern, function) for pattern, (_, can, *_) in GRID.items() for function in can]
)
def test_each_pattern_of_weights_has_its_verdict_and_its_sentence(pattern, function):
    s, _, verdict, words = GRID[pattern]
    found = health(s.astype(np.float32), function)
    assert found.verdict == verdict
    for word in words:
        assert word in found.sentence
    assert verdict.lower() in found.sentence.lower()
    assert found.sentence.endswith(".")
    if verdict != "not finite":
        assert "nan" not in found.sentence.lower()
    # What was not measured is not said.
    for claim in ("folded", "left out", "adds little", "chooses channels by what it sees", "at little loss"):
        assert claim not in found.sentence
    if "**image-dependent**" in found.sentence:
        assert EFFECT in found.sentence


def test_every_verdict_is_walked_through_and_defined():
    assert {verdict for _, _, verdict, _ in GRID.values()} == set(VERDICTS)


@given(seed=st.integers(0, 2**32 - 1), pattern=st.sampled_from(sorted(GRID)))
def test_the_order_of_images_and_channels_does_not_matter(seed, pattern):
    s, (function, *_), verdict, _ = GRID[pattern]
    rng = np.random.default_rng(seed)
    assert health(rng.permutation(rng.permutation(s, axis=0), axis=1), function).verdict == verdict


@given(
    s=st.builds(
        lambda n, c, seed, spread, low: low + spread * np.random.default_rng(seed).normal(size=(n, c)),
        *(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1000)),
        *(st.sampled_from([0, 1e-9, 0.01, 0.1, 1, 1e6, 1e30]), st.sampled_from([0, 0.5, 1, -1, 1e6, -1e30])),
    ),
    function=st.sampled_from([*ANY, "softmax", "something new"]),
)
@pytest.mark.filterwarnings("error")
def test_any_weights_get_one_of_the_verdicts_without_a_warning(s, function):
    found = health(s.astype(np.float32), function)
    assert found.verdict in VERDICTS
    assert (found.verdict == "one image cannot tell") == (len(s) == 1)
    assert not re.search(r"\bnan\b|\binf\b", found.sentence)


def test_one_odd_weight_among_many_turns_no_verdict_around():
    for value, verdicts in {0.02: {"dead", "mostly constant"}, 0.98: {"saturated", "mostly constant"}}.items():
        found = health(put(full(value, 50, 2048), 0.5, (0, 0)))
        assert found.verdict in verdicts
        assert "of 2,048 channels stay near" in found.sentence


def test_a_softmax_over_channels_is_not_dead_because_its_weights_sum_to_1():
    logits = RNG.normal(0, 1, (N, C))
    s = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert health(s).verdict == "dead"
    found = health(s, "softmax")
    assert found.verdict == "image-dependent"
    assert "multiplied by 400" in found.sentence
    assert health(full(1 / C), "softmax").verdict == "saturated"


def test_shares_of_a_softmax_say_the_same_as_its_sentence():
    found = health(full(1 / 64, 20, 64), "softmax")
    assert found.verdict == "saturated"
    assert "The maps pass nearly unchanged" in found.meaning
    assert (found.near_0, found.near_1, found.clipped) == (0, 1, 0)
    assert found.mean == pytest.approx(1 / 64)
    one = np.zeros((20, 64))
    one[:, 0] = 1
    assert health(one, "softmax").near_0 == pytest.approx(63 / 64)


def test_numbers_are_what_they_say():
    s = np.array([[0.0, 0.05, 0.5, 1.0], [0.0, 0.95, 0.5, 1.0]], dtype=np.float32)
    found = health(s)
    assert (found.images, found.channels, found.finite) == (2, 4, 1)
    assert found.mean == pytest.approx(s.mean())
    assert found.near_0 == pytest.approx(3 / 8)
    assert found.near_1 == pytest.approx(3 / 8)
    assert found.clipped == pytest.approx(4 / 8)
    assert found.spread == pytest.approx(np.mean([s[0].std(), s[1].std()]))
    assert found.variation == pytest.approx(0.45 / 4)


@pytest.mark.parametrize("function", ["relu", "other"])
def test_a_gate_that_gives_nothing_but_0_is_shut_in_full(function):
    found = health(full(0), function)
    assert (found.near_0, found.near_1, found.clipped, found.mean) == (1, 0, 1, 0)


def test_numbers_of_weights_that_are_not_finite_are_not_known():
    s = put(full(1, 2, 4), np.nan, (0, 0))
    found = health(s)
    assert (found.mean, found.spread, found.variation) == (None, None, None)
    assert (found.finite, found.near_1, found.near_0) == (7 / 8, 7 / 8, 0)
    assert json.loads(json.dumps(asdict(found), allow_nan=False))["mean"] is None


def test_one_image_has_no_variation():
    found = health(both(0, 1, 1))
    assert found.variation is None
    assert found.spread > 0.2


@pytest.mark.parametrize("s", [np.zeros((0, 4)), np.zeros((4, 0)), np.zeros(4), np.zeros((1, 2, 3))])
def test_what_is_no_table_of_weights_is_refused(s):
    with pytest.raises(ValueError, match=r"s must have the shape \(N, C\)"):
        health(s)


def test_the_definitions_are_one_table():
    table = definitions()
    for verdict, meaning in VERDICTS.items():
        assert f"| {verdict} | {meaning} |" in table
    assert table in (health.__globals__["__doc__"] or "")


def test_the_documentation_has_the_table(pytestconfig):
    assert definitions() in (pytestconfig.rootpath / "docs" / "explanation" / "numbers.md").read_text()


def test_gates_are_counted_by_verdict():
    said = verdict_counts({"SE_2_1": "image-dependent", "SE_2_2": "dead", "SE_3_1": "image-dependent"})
    assert said == "Verdicts on 3 gates: dead: SE_2_2; image-dependent: SE_2_1, SE_3_1."
    many = verdict_counts({f"SE_2_{i}": "image-dependent" for i in range(1, 11)})
    assert many.endswith("SE_2_8 and 2 more.")
    alone = dict.fromkeys(("SE_2_1", "SE_2_2"), "one image cannot tell")
    assert verdict_counts(alone).startswith("One image cannot tell")
