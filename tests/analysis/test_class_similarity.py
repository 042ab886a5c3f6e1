from itertools import permutations

import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet, fcluster
from scipy.spatial.distance import cdist

from se_viz.analysis.class_similarity import class_similarity, gate_similarity, tree
from se_viz.analysis.similarity import linear_cka


@pytest.fixture
def means():
    """Class means: 0 and 2 are kin, 1 and 3 are kin."""
    rng = np.random.default_rng(0)
    families = rng.uniform(0.2, 0.8, (2, 12))
    return families[[0, 1, 0, 1]] + rng.uniform(-0.05, 0.05, (4, 12))


def cosine(rows):
    return 1 - cdist(rows, rows, "cosine")


def profiles_of(make_profiles, **gates):
    """Two images a class, around its mean."""
    weights = {
        name: np.repeat(mean, 2, axis=0) + np.tile([[0.01], [-0.01]], (len(mean), 1)) for name, mean in gates.items()
    }
    classes = [f"class {index}" for index in range(len(next(iter(gates.values()))) + 1)]
    return make_profiles(weights, np.repeat(np.arange(len(classes) - 1), 2), classes)


def test_similarity_is_the_cosine_of_the_means(make_profiles, means):
    gate = profiles_of(make_profiles, SE_2_1=means)["SE_2_1"]
    np.testing.assert_allclose(class_similarity(gate.s().mean)[:4, :4], cosine(means - means.mean(0)), atol=1e-3)
    raw = class_similarity(gate.s().mean, centred=False)
    np.testing.assert_allclose(raw[:4, :4], cosine(means), atol=1e-3)
    assert np.isnan(raw[4]).all()


def test_one_pattern_up_to_scale_has_similarity_one(make_profiles, means):
    scaled = means[0] * np.array([[0.5], [0.8], [1.0]])
    gate = profiles_of(make_profiles, SE_2_1=scaled)["SE_2_1"]
    np.testing.assert_allclose(class_similarity(gate.s().mean, centred=False)[:3, :3], 1, atol=1e-4)


def test_kin_classes_stand_together(means):
    centred = means - means.mean(0)
    similarity = cosine(centred)
    found = tree(similarity)
    groups = fcluster(found.links, 2, "maxclust")
    assert groups[0] == groups[2] != groups[1] == groups[3]
    assert {*found.order[:2].tolist()} in ({0, 2}, {1, 3})
    # Average linkage joins the two families at the mean distance between their members.
    assert cophenet(found.links).max() == pytest.approx(1 - similarity[np.ix_([0, 2], [1, 3])].mean())


def test_a_tree_of_few_or_unknown_classes():
    assert tree(np.ones((1, 1))).order.tolist() == [0]
    found = tree(np.array([[1, 0.9, np.nan], [0.9, 1, np.nan], [np.nan] * 3]))
    assert set(found.links[0, :2].tolist()) == {0, 1}
    assert sorted(found.order.tolist()) == [0, 1, 2]


def test_gates_are_alike_if_they_set_the_same_classes_apart(make_profiles, means):
    other = np.random.default_rng(1).uniform(0.2, 0.8, (4, 9))
    turned = 1 - means[:, ::-1]
    similarity = gate_similarity(profiles_of(make_profiles, SE_2_1=means, SE_2_2=turned, SE_2_3=other)).cka
    assert similarity[0, 1] == pytest.approx(1, abs=1e-3)
    assert similarity[0, 2] < 0.95
    np.testing.assert_allclose(similarity, similarity.T)
    np.testing.assert_allclose(np.diag(similarity), 1)


def test_similarity_of_gates_is_cka_of_their_means_and_chance_is_the_mean_over_orders(make_profiles):
    rng = np.random.default_rng(2)
    one, other = rng.uniform(0.2, 0.8, (5, 12)), rng.uniform(0.2, 0.8, (5, 3))
    profiles = profiles_of(make_profiles, SE_2_1=one, SE_2_2=other, SE_2_3=np.full((5, 4), 0.5))
    found = gate_similarity(profiles, rows_at_once=2)
    one, other = (profiles[name].s(slice(5)).mean for name in ("SE_2_1", "SE_2_2"))
    assert found.cka[0, 1] == pytest.approx(linear_cka(one, other))
    orders = [linear_cka(one, other[list(order)]) for order in permutations(range(5))]
    assert found.chance[0, 1] == pytest.approx(np.mean(orders))
    assert np.isnan(found.cka[2]).all()
    assert np.isnan(found.chance[2]).all()
