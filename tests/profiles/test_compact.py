import os
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from se_viz.analysis.class_separation import auroc
from se_viz.analysis.histogram import quantiles, share_below
from se_viz.data import dataset_sources
from se_viz.demo import pretrained as demo
from se_viz.model.loading import load
from se_viz.profiles import bundled
from se_viz.profiles.class_profiles import ClassProfiles, open_profiles
from se_viz.profiles.compact import compact
from se_viz.profiles.errors import NotInProfiles, ProfilesMismatch
from se_viz.profiles.metadata import VERSION
from se_viz.profiles.profile import profile
from se_viz.zoo import registry

FORMAT1 = Path(__file__).parent / "format1"
DATA = os.environ.get("SE_VIZ_DATA", "").split(os.pathsep)[0]


def agree(small, whole, noise=0.0):
    """Assert that compact class profiles say what single images say; give its worst errors of means and AUROC.

    Of images whose s are closer than ``noise``, either may be the higher one: float32 of another processor differs by
    so much, and channels that do not move otherwise have AUROCs far from 0.5 for that alone.
    """
    worst_mean = worst_auroc = 0.0
    labels = whole.table.labels
    for gate in whole:
        rounded, s = small[gate.name], gate.images()
        moments, histogram = rounded.s(), rounded.histogram()
        for label in np.unique(labels).tolist():
            own = s[labels == label]
            worst_mean = max(worst_mean, np.abs(moments.mean[label] - own.mean(0)).max())
            std = own.std(0)
            assert (np.abs(moments.std[label] - std) <= 0.023 * std + s.std(0) / 128 + 1e-7).all()
            assert histogram.counts[label].sum(-1).tolist() == [len(own)] * own.shape[1]
            for value in (0, 0.5, 1):
                heap = (np.diff(histogram.edges) == 0) & (histogram.edges[:, :-1] == value)
                held = np.where(heap, histogram.counts[label], 0).sum(-1)
                assert held.tolist() == (own == value).sum(0).tolist()
        for a, b in combinations(np.unique(labels).tolist(), 2):
            own, other = s[labels == a], s[labels == b]
            least, most = (
                mannwhitneyu(own + way * noise, other, axis=0).statistic / (len(own) * len(other)) for way in (-1, 1)
            )
            found = auroc(rounded, a, b)
            error = np.maximum(0, np.maximum(found.value - most, least - found.value))
            assert (error <= found.margin + 1e-9).all()
            worst_auroc = max(worst_auroc, error.max())
    assert worst_mean <= 1e-3
    assert worst_auroc <= 0.02
    return worst_mean, worst_auroc


def test_it_says_what_the_exact_one_says_to_its_rounding(whole, tmp_path):
    small = compact(whole, tmp_path / "small.safetensors.xz")
    assert [path.name for path in tmp_path.iterdir()] == ["small.safetensors.xz"]
    assert small.counts.tolist() == whole.counts.tolist()
    agree(small, whole)
    for gate in whole:
        moments, histogram = small[gate.name].s(), small[gate.name].histogram()
        np.testing.assert_array_equal(small[gate.name].s("bee", 1).mean, moments.mean[1, 1])
        np.testing.assert_array_equal(small[gate.name].histogram("bee", 1).edges, histogram.edges[1])
        np.testing.assert_array_equal(small[gate.name].histogram("bee", 1).counts, histogram.counts[1, 1])
        assert small[gate.name].clipped().tolist() == gate.clipped().tolist()
        assert not small[gate.name].has_z
        for ask in (small[gate.name].z, small[gate.name].images, lambda: small[gate.name].highest(0)):  # noqa: B023
            with pytest.raises(NotInProfiles, match="compact"):
                ask()


def synthetic(images=600, classes=5):
    """{gate: s} with ties, heaps, values over 8, negative ones and constants; gate functions; labels."""
    rng = np.random.default_rng(0)
    labels = np.sort(rng.integers(0, classes, images))
    apart, shape = labels[:, None] / classes, (images, 8)
    heaped = rng.beta(2, 3, shape) * 0.8 + 0.1 * apart
    heaped[rng.uniform(size=shape) < np.linspace(0, 0.95, 8)] = 0.5
    relu = np.maximum(rng.normal(-2, 6, shape) + 3 * apart, 0)
    relu[:, 0] = 0
    relu[:, 1] *= 1000
    relu[:, 2] = 12.35
    tanh = np.tanh(rng.normal(-1, np.linspace(0.01, 4, 8), shape) + apart)
    clamp = np.clip(rng.normal(0.5, np.linspace(0.1, 3, 8), shape) + apart, 0, 1)
    clamp[:, 0] = np.round(clamp[:, 0], 1)
    near = 0.5 + np.where(rng.uniform(size=shape) < 0.5, 0, 1e-6 * rng.normal(size=shape) + 1e-6 * apart)
    softmax = rng.dirichlet(np.full(8, 50.0), images) / 100
    gates = {"SE_2_1": heaped, "SE_3_1": relu, "SE_3_2": tanh, "SE_4_1": clamp, "SE_4_2": near, "SE_5_1": softmax}
    functions = {"SE_3_1": "relu", "SE_3_2": "tanh", "SE_4_1": "other", "SE_5_1": "other"}
    return gates, functions, labels


@pytest.mark.slow
def test_ties_heaps_and_large_and_small_values_survive(make_profiles, tmp_path):
    weights, functions, labels = synthetic()
    whole = make_profiles(weights, labels, "abcde", images=True, functions=functions)
    small = compact(whole, tmp_path / "small.safetensors.xz")
    agree(small, whole)
    relu = small["SE_3_1"]
    assert relu.s("a", 2).mean == pytest.approx(12.35, abs=1e-6)
    assert relu.s("a", 2).std == 0
    assert quantiles(relu.histogram(), [0.25, 0.5, 0.75])[:, :, 2].tolist() == [[float(np.float32(12.35))] * 5] * 3
    assert relu.clipped().sum() == 0
    assert relu.span[1] > 1000
    for profiles in (whole, small):
        gate = profiles["SE_3_1"]
        zero = quantiles(gate.histogram(), [0, 0.25, 0.5, 0.75, 1])[:, :, 0]
        assert (zero == 0).all()
        assert (share_below(gate.histogram(), 0.1) - share_below(gate.histogram(), -0.1))[:, 0].tolist() == [1] * 5
        heaped, own = profiles["SE_2_1"].histogram(), weights["SE_2_1"]
        for label in range(5):
            mine = own[labels == label].astype(np.float32)
            below = (mine < 0.5).mean(0)
            np.testing.assert_allclose(share_below(heaped, 0.5)[label], below)
            middle = np.quantile(mine, 0.5, axis=0, method="inverted_cdf")
            found = quantiles(heaped, [0.5])[0, label]
            assert ((found == 0.5) | (middle != 0.5)).all()


def test_weights_far_beyond_the_limit_of_the_sums_count_as_the_limit(make_profiles, tmp_path):
    s = np.random.default_rng(0).normal(size=(20, 3)) * 1e30
    whole = make_profiles({"SE_2_1": s}, np.repeat([0, 1], 10), "ab", functions={"SE_2_1": "other"}, images=True)
    small = compact(whole, tmp_path / "small.safetensors.xz")
    assert np.abs(small["SE_2_1"].s().mean - whole["SE_2_1"].s().mean).max() < 0.0005


def test_a_gate_without_z_and_a_class_without_images_are_no_matter(make_profiles, tmp_path):
    weights = {"SE_2_1": np.random.default_rng(0).uniform(size=(40, 3))}
    whole = make_profiles(weights, np.repeat([0, 2], 20), "abc", images=True, z=False)
    small = compact(whole, tmp_path / "small.safetensors.xz")
    assert not whole["SE_2_1"].has_z
    with pytest.raises(NotInProfiles, match="no squeeze descriptor was found in this gate"):
        whole["SE_2_1"].z()
    agree(small, whole)
    assert np.isnan(small["SE_2_1"].s("b").mean).all()


def test_it_is_made_of_single_images_in_full(tiny_model, photos, tmp_path):
    with pytest.raises(NotInProfiles, match="--images"):
        compact(profile(tiny_model, photos, tmp_path / "out"), tmp_path / "small.safetensors.xz")
    with pytest.raises(ProfilesMismatch, match="older SE Viz"):
        compact(open_profiles(FORMAT1 / "exact.safetensors"), tmp_path / "small.safetensors.xz")


GATED = [name for name in registry.names() if name.startswith("demo/")]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in GATED if bundled.path(name).exists()])
def test_shipped_class_profiles_are_of_the_shipped_weights_and_of_all_of_the_validation_set(name):
    profiles = bundled.bundled_profiles(name)
    model = load(name, "cpu")
    profiles.check(model)
    model.close()
    assert profiles.classes == demo.card(name.removeprefix("demo/")).classes
    assert profiles.counts.sum() == 3925
    assert not profiles.header.refused
    assert profiles.header.version == VERSION
    assert profiles.path.stat().st_size < 550_000
    for gate in profiles:
        assert ((gate.span[0] <= gate.s().mean) & (gate.s().mean <= gate.span[1])).all()
        assert (gate.histogram().counts.sum(-1) == profiles.counts[:, None]).all()
        assert gate.clipped().sum() == 0


def test_the_weights_of_relu_are_not_cut_off():
    gate = bundled.bundled_profiles("demo/r16-relu")["SE_5_1"]
    assert gate.s().mean.max() == pytest.approx(12.35, abs=0.01)
    assert gate.histogram().edges.max() == pytest.approx(19.03, abs=0.3)


@pytest.mark.skipif(not DATA, reason="Imagenette is not here; SE_VIZ_DATA names it")
@pytest.mark.parametrize("name", [name for name in GATED if bundled.path(name).exists()])
def test_shipped_class_profiles_agree_with_a_fresh_pass(name, tmp_path, record_property):
    model = load(name, "cpu", fast=False)
    whole = profile(model, dataset_sources.dataset(DATA, "val"), tmp_path, images=True)
    model.close()
    mean, area = agree(bundled.bundled_profiles(name), whole, noise=1e-6)
    record_property("worst errors", f"means {mean:.2g}, AUROC {area:.2g}")


def test_the_standard_model_has_class_profiles():
    assert bundled.path("demo/r16").exists()


@pytest.mark.slow
def test_the_family_is_made_by_one_call_and_what_is_made_is_left_alone(tiny_imagenette, tmp_path, monkeypatch):
    monkeypatch.setattr("se_viz.zoo.registry.names", lambda: ("demo/r16", "mine"))
    first = list(bundled.rebuild(tiny_imagenette, tmp_path, "cpu"))
    assert [profiles.header.model.name for profiles in first] == ["demo/r16"]
    assert first[0].counts.tolist() == [1] * 10
    path = tmp_path / "r16.safetensors.xz"
    assert list(tmp_path.iterdir()) == [path]
    before = path.stat().st_mtime_ns
    assert len(list(bundled.rebuild(tiny_imagenette, tmp_path, "cpu"))) == 1
    assert path.stat().st_mtime_ns == before


@pytest.mark.slow
def test_class_profiles_of_an_older_format_is_made_again(tiny_imagenette, tmp_path, monkeypatch):
    monkeypatch.setattr("se_viz.zoo.registry.names", lambda: ("demo/r16",))
    path = tmp_path / "r16.safetensors.xz"
    list(bundled.rebuild(tiny_imagenette, tmp_path, "cpu"))
    found = open_profiles(path)
    old = replace(found.header, version=1)
    monkeypatch.setattr("se_viz.profiles.bundled.open_profiles", lambda *_: ClassProfiles(path, old, found.tensors))
    path.write_bytes(b"old")
    assert [profiles.header.version for profiles in bundled.rebuild(tiny_imagenette, tmp_path, "cpu")] == [VERSION]
    assert open_profiles(path).counts.sum() == 10
