import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from se_viz.analysis.resemblance import ClassPatterns, groups

CLASSES = np.random.default_rng(0).uniform(size=(5, 64))
PATTERNS = ClassPatterns.of(CLASSES)


def test_it_is_the_correlation_of_what_sets_apart():
    own = np.random.default_rng(1).uniform(size=64)
    common = CLASSES.mean(axis=0)
    expected = [np.corrcoef(own - common, one - common)[0, 1] for one in CLASSES]
    np.testing.assert_allclose(PATTERNS.resemblance(own), expected, atol=1e-6)


@pytest.mark.parametrize("k", range(5))
def test_a_class_resembles_itself_most(k):
    found = PATTERNS.resemblance(CLASSES[k])
    assert found.argmax() == k
    assert found[k] == pytest.approx(1)


@given(st.floats(0.1, 1), st.floats(-0.2, 0.2))
def test_how_strongly_or_on_what_level_does_not_matter(strength, level):
    common = CLASSES.mean(axis=0)
    own = common + strength * (CLASSES[2] - common) + level
    assert PATTERNS.resemblance(own)[2] == pytest.approx(1)


def test_where_nothing_sets_apart_there_is_no_answer():
    assert np.isnan(ClassPatterns.of(np.repeat(CLASSES[:1], 3, axis=0)).resemblance(CLASSES.mean(axis=0))).all()


def test_folders_are_groups_and_predictions_otherwise():
    assert groups(["a/1.jpg", "b/2.jpg", "a/3.jpg", "4.jpg"], list("wxyz")) == {
        "a": [0, 2],
        "b": [1],
        "without a folder": [3],
    }
    assert groups(["1.jpg", "2.jpg", "3.jpg"], ["church", "horn", "church"]) == {"church": [0, 2], "horn": [1]}
