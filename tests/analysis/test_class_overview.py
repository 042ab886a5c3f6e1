"""What the page and the command show of class profiles before anybody chooses, and of many classes."""

import numpy as np
import pytest

from se_viz.analysis.band import band
from se_viz.analysis.class_overview import MOST_ROWS, Overview, kin
from se_viz.analysis.class_separation import cohens_d, difference
from se_viz.analysis.class_similarity import class_similarity
from se_viz.reports.class_numbers import ClassNumbers
from se_viz.reports.class_selection import check_classes, check_pair, first_classes, first_pair, stages, with_images

GATES = {"SE_2_1": 16, "SE_2_2": 16, "SE_3_1": 24}


def profiles_of(make_profiles, classes, images=3):
    """Profiles of equally large classes, behind two classes with none and one."""
    labels = np.sort([1, *np.repeat(np.arange(2, classes + 2), images)])
    rng = np.random.default_rng(0)
    weights = {name: rng.uniform(size=(len(labels), channels)) for name, channels in GATES.items()}
    return make_profiles(weights, labels, [f"kind {number}" for number in range(classes + 2)])


@pytest.fixture
def few(make_profiles):
    return profiles_of(make_profiles, 5)


def test_what_is_shown_first(few):
    assert with_images(few) == [f"kind {number}" for number in range(1, 7)]
    assert stages(few) == [(2, ["SE_2_1", "SE_2_2"]), (3, ["SE_3_1"])]
    one, other = first_pair(ClassNumbers(few))
    similarity = class_similarity(few["SE_3_1"].s().mean)
    found = similarity[few.class_index(one), few.class_index(other)]
    assert found == pytest.approx(np.nanmin(similarity[2:, 2:]), abs=1e-6)


def test_the_classes_drawn_at_first_are_the_farthest(few):
    numbers = ClassNumbers(few)
    shown = first_classes(numbers)
    assert tuple(shown[:2]) == first_pair(numbers)
    rows = [few.class_index(name) for name in shown]
    similarity = class_similarity(few["SE_3_1"].s().mean)
    for place in (2, 3):
        closest = {row: similarity[row, rows[:place]].max() for row in range(1, 7) if row not in rows[:place]}
        assert rows[place] == min(closest, key=closest.__getitem__)
    assert len(set(shown)) == 4


def test_without_classes_that_differ_the_first_are_drawn(make_profiles):
    still = make_profiles({"SE_2_1": np.full((4, 8), 0.5)}, np.array([0, 0, 1, 1]), ["one", "other"])
    assert first_classes(ClassNumbers(still)) == ["one", "other"]


def test_without_two_classes_of_two_images_there_is_no_pair(make_profiles):
    alone = profiles_of(make_profiles, 1)
    assert first_pair(ClassNumbers(alone)) is None
    still = make_profiles({"SE_2_1": np.full((4, 8), 0.5)}, np.array([0, 0, 1, 1]), ["one", "other"])
    assert first_pair(ClassNumbers(still)) == ("one", "other")


def test_what_cannot_be_drawn_is_said(few):
    check_classes(few, ["kind 1", "kind 6"])
    check_pair(few, "kind 2", "kind 6")
    with pytest.raises(ValueError, match="no image of kind 0"):
        check_classes(few, ["kind 0"])
    with pytest.raises(ValueError, match="At most 6 classes"):
        check_classes(few, ["kind 1"] * 7)
    with pytest.raises(ValueError, match="kind 1 has 1 image in"):
        check_pair(few, "kind 2", "kind 1")
    with pytest.raises(ValueError, match="not kind 2 twice"):
        check_pair(few, "kind 2", "kind 2")


def test_of_few_classes_all_are_drawn_and_of_many_those_most_like_the_chosen(few, make_profiles):
    assert Overview.of(few["SE_3_1"]).rows_to_draw([2]).tolist() == [1, 2, 3, 4, 5, 6]
    many = profiles_of(make_profiles, 100, images=2)
    overview = Overview.of(many["SE_3_1"])
    drawn = overview.rows_to_draw([50, 7])
    assert len(drawn) == MOST_ROWS
    assert {7, 50} < set(drawn.tolist())
    similarity = overview.similarity[[50, 7]].max(axis=0)
    others = np.setdiff1d(overview.nonempty, drawn)
    assert similarity[np.setdiff1d(drawn, [7, 50])].min() >= similarity[others].max()


def test_kin_are_a_tree_and_rows_of_means(few):
    gate = few["SE_3_1"]
    found = kin(gate, Overview.of(gate), [2])
    assert sorted(found.ordered) == sorted(found.rows) == [1, 2, 3, 4, 5, 6]
    assert found.links.shape == (5, 4)
    assert (np.diff(found.means.mean(axis=0)) <= 0).all()
    np.testing.assert_allclose(np.sort(found.means[0]), np.sort(gate.s(int(found.ordered[0])).mean))


def test_one_class_has_no_kin(make_profiles):
    alone = make_profiles({"SE_2_1": np.random.default_rng(0).uniform(size=(3, 8))}, np.zeros(3, int), ["one"])
    assert kin(alone["SE_2_1"], Overview.of(alone["SE_2_1"]), [0]) is None


def test_a_band_is_of_the_deviation_or_of_quartiles(few):
    gate = few["SE_3_1"]
    centre, (low, high) = band(gate, "kind 3", "mean ± SD")
    np.testing.assert_allclose(centre, gate.s("kind 3").mean)
    np.testing.assert_allclose(high - low, 2 * gate.s("kind 3").std)
    middle, (quarter, three) = band(gate, "kind 3", "median and quartiles")
    assert (quarter <= middle).all()
    assert (middle <= three).all()


def test_the_channels_that_differ_most_come_first(few):
    found = difference(few["SE_3_1"], "kind 2", "kind 6")
    d = np.abs(cohens_d(few["SE_3_1"], "kind 2", "kind 6"))
    assert found.channels == np.argsort(-d, kind="stable")[:12].tolist()
    assert found.auroc.shape == (24,)
