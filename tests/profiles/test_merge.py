import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.profiling import SETTINGS, make_images, tiny

from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.profiles.compact import compact
from se_viz.profiles.errors import ProfilesMismatch
from se_viz.profiles.merge import merge
from se_viz.profiles.profile import profile
from se_viz.weights.head import Head

CHOICES = {"batch": 1, "shard": 4, "examples": 2}


@pytest.fixture(scope="module")
def three(tiny_model, tmp_path_factory):
    """Class profiles of three folders whose classes overlap."""
    made = []
    for seed, classes in enumerate((("ape", "bee"), ("bee", "cat"), ("bee", "ape"))):
        folder = tmp_path_factory.mktemp("part")
        # Images of different folders have different names, and the last has fewer of them.
        make_images(folder / f"{seed}", classes, 3 - seed // 2, seed)
        for name in classes:
            (folder / f"{seed}" / name / "0.png").rename(folder / f"{seed}" / name / f"first {seed}.png")
        made.append(profile(tiny_model, folder / f"{seed}", folder / "out", **CHOICES))
    return made


def exact(profiles):
    """All that must be equal."""
    found = {"classes": profiles.classes, "counts": profiles.counts.tolist(), "sources": profiles.header.sources}
    for gate in profiles:
        for what in ("sum", "squares", "histogram", "heaps", "binned", "outside", "z_range"):
            found[gate.name, what] = profiles.tensors[f"{gate.name}.{what}"][:,].tolist()
        found[gate.name, "ends"] = [(gate.highest(c), gate.lowest(c)) for c in range(gate.entry.channels)]
    return found


@pytest.mark.slow
@given(st.permutations(range(3)), st.booleans())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_and_grouping_do_not_matter(three, tmp_path, order, from_the_left):
    a, b, c = (three[index] for index in order)
    if from_the_left:
        nested = merge([merge([a, b], tmp_path / "half.safetensors"), c], tmp_path / "nested.safetensors")
    else:
        nested = merge([a, merge([b, c], tmp_path / "half.safetensors")], tmp_path / "nested.safetensors")
    flat = merge(three, tmp_path / "flat.safetensors")
    assert exact(nested) == exact(flat)
    for gate in flat:
        np.testing.assert_allclose(nested[gate.name].z().mean, gate.z().mean, rtol=1e-12)
        np.testing.assert_allclose(nested[gate.name].z().std, gate.z().std, rtol=1e-9, atol=1e-12)


def test_the_sum_is_what_one_pass_over_all_gives(three, tiny_model, tmp_path):
    for profiles in three:
        folder = next(path for path in profiles.path.parents[1].iterdir() if path.name.isdigit())
        for path in folder.rglob("*.png"):
            target = tmp_path / "all" / path.parent.name / f"{folder.name} {path.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    once = profile(tiny_model, tmp_path / "all", tmp_path / "out", **CHOICES)
    merged = merge(three, tmp_path / "merged.safetensors")
    assert merged.classes == once.classes == ("ape", "bee", "cat")
    assert merged.counts.tolist() == once.counts.tolist() == [5, 8, 3]
    for gate in once:
        for what in ("sum", "squares", "histogram", "heaps", "binned"):
            name = f"{gate.name}.{what}"
            np.testing.assert_array_equal(merged.tensors[name][:,], once.tensors[name][:,])
        assert [e.s for e in merged[gate.name].highest(0)] == [e.s for e in gate.highest(0)]


def test_single_images_are_kept_if_all_have_them(whole, three, tiny_model, tmp_path):
    other = profile(tiny_model, make_images(tmp_path / "more", ("ape", "dog"), 2), tmp_path / "out", **SETTINGS)
    both = merge([whole, other], tmp_path / "both.safetensors")
    assert both.header.refused == whole.header.refused
    s = np.concatenate([whole["SE_1_1"].images(), other["SE_1_1"].images()])
    np.testing.assert_array_equal(both["SE_1_1"].images(), s)
    assert [both.classes[label] for label in both.table.labels[-2:]] == ["dog", "dog"]
    assert not merge([whole, three[0]], tmp_path / "mixed.safetensors").header.images


def test_class_profiles_that_do_not_fit_are_refused(whole, three, tmp_path):
    path = tmp_path / "merged.safetensors"
    with pytest.raises(ProfilesMismatch, match="count twice"):
        merge([whole, whole], path)
    other = profile(tiny(seed=1, name="other"), make_images(tmp_path / "more"), tmp_path / "out")
    with pytest.raises(ProfilesMismatch, match="only class profiles of one network"):
        merge([whole, other], path)
    with pytest.raises(ProfilesMismatch, match="rounded numbers"):
        merge([three[0], compact(whole, tmp_path / "small.safetensors.xz")], path)
    predicted = replace(three[0].header, labels="predictions")
    with pytest.raises(ProfilesMismatch, match=r"by given labels and .* by the model's predictions"):
        merge([ClassProfiles(three[0].path, predicted, three[0].tensors), whole], path)
    one, other = (replace(predicted, head=Head("binary", threshold)) for threshold in (0.4, 0.5))
    with pytest.raises(ProfilesMismatch, match="different heads or thresholds"):
        merge(
            [
                ClassProfiles(three[0].path, one, three[0].tensors),
                ClassProfiles(three[1].path, other, three[1].tensors),
            ],
            path,
        )
    half = replace(three[0].header, model=replace(three[0].header.model, precision="bf16"))
    with pytest.raises(ProfilesMismatch, match="precision"):
        merge([whole, ClassProfiles(three[0].path, half, three[0].tensors)], path)
    with pytest.raises(ProfilesMismatch, match="nothing to merge"):
        merge([], path)
    assert not path.exists()
