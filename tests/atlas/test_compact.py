import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from se_viz.atlas import shipped
from se_viz.atlas.compact import compact
from se_viz.atlas.errors import NotInAtlas
from se_viz.atlas.profile import profile
from se_viz.atlas.rounding import SHARES, pack_mean, pack_std, unpack_mean, unpack_std
from se_viz.gates.model import load
from se_viz.zoo import catalogue, demo


def test_it_says_what_the_exact_one_says_to_its_rounding(whole, tmp_path):
    small = compact(whole, tmp_path / "small.safetensors.xz")
    assert [path.name for path in tmp_path.iterdir()] == ["small.safetensors.xz"]
    assert small.counts.tolist() == whole.counts.tolist()
    for gate in whole:
        exact, rounded, step = gate.s(), small[gate.name].s(), gate.entry.scale.step
        np.testing.assert_allclose(rounded.mean, exact.mean, atol=1.01 * step)
        np.testing.assert_allclose(rounded.std, exact.std, rtol=0.023, atol=0.5 * step)
        histogram = small[gate.name].histogram()
        np.testing.assert_allclose(histogram.counts.sum(-1), exact.count[:, None].repeat(gate.entry.channels, 1))
        for label in range(3):
            own = gate.images_of(label)
            wanted = np.quantile(own, SHARES, axis=0).T
            slack = exact.std[label, :, None] * 0.2 + 2 * step
            assert (np.abs(histogram.edges[label] - wanted) <= slack).all()
        np.testing.assert_array_equal(small[gate.name].s("bee", 1).mean, rounded.mean[1, 1])
        np.testing.assert_array_equal(small[gate.name].histogram("bee", 1).edges, histogram.edges[1, 1])
        for ask in (small[gate.name].z, small[gate.name].images, lambda: small[gate.name].highest(0)):  # noqa: B023
            with pytest.raises(NotInAtlas, match="compact"):
                ask()


def test_it_is_made_of_single_images(tiny_model, photos, tmp_path):
    with pytest.raises(NotInAtlas, match="--images"):
        compact(profile(tiny_model, photos, tmp_path / "out"), tmp_path / "small.safetensors.xz")


@given(st.floats(0, 65535), st.integers(0, 65535), st.floats(0, 32768))
def test_rounding_is_as_fine_as_it_says(mean, base, std):
    base = np.array([base], np.uint16)
    assert abs(unpack_mean(pack_mean(np.array([[mean]]), base), base)[0, 0] - mean) <= 1 + 1e-9
    assert abs(unpack_std(pack_std(np.array(std))) - std) <= max(0.5, 0.022 * std) + 1e-9


GATED = [name for name in catalogue.names() if name.startswith("demo/")]


@pytest.mark.parametrize("name", [name for name in GATED if shipped.path(name).exists()])
def test_a_shipped_atlas_is_of_the_shipped_weights_and_of_all_of_the_validation_set(name):
    atlas = shipped.shipped(name)
    model = load(name, "cpu")
    atlas.check(model)
    model.close()
    assert atlas.classes == demo.card(name.removeprefix("demo/")).classes
    assert atlas.counts.sum() == 3925
    assert not atlas.header.refused
    assert atlas.path.stat().st_size < 200_000
    for gate in atlas:
        assert ((gate.entry.low <= gate.s().mean) & (gate.s().mean <= gate.entry.high)).all()


def test_the_standard_model_has_an_atlas():
    assert shipped.path("demo/r16").exists()


def test_the_family_is_made_by_one_call_and_what_is_made_is_left_alone(tiny_imagenette, tmp_path, monkeypatch):
    monkeypatch.setattr("se_viz.zoo.catalogue.names", lambda: ("demo/r16", "mine"))
    first = list(shipped.rebuild(tiny_imagenette, tmp_path, "cpu"))
    assert [atlas.header.model.name for atlas in first] == ["demo/r16"]
    assert first[0].counts.tolist() == [1] * 10
    path = tmp_path / "r16.safetensors.xz"
    assert list(tmp_path.iterdir()) == [path]
    before = path.stat().st_mtime_ns
    assert len(list(shipped.rebuild(tiny_imagenette, tmp_path, "cpu"))) == 1
    assert path.stat().st_mtime_ns == before
