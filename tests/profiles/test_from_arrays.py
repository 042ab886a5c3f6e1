from copy import copy, deepcopy

import numpy as np
import pytest
import torch

from se_viz import merge, open_profiles, profiles_from_arrays
from se_viz.profiles.errors import ProfilesError


def test_arrays_of_a_capture_count_as_a_pass_over_the_images(whole, raw, tiny_model, tmp_path):
    made = profiles_from_arrays(
        {gate.name: raw[gate.name].s for gate in tiny_model.gates},
        [whole.classes[label] for label in whole.table.labels],
        tmp_path / "made.safetensors",
        z={gate.name: raw[gate.name].z for gate in tiny_model.gates},
        names=whole.table.names,
        model=tiny_model,
        examples=2,
        images=True,
    )
    made.check(tiny_model)
    assert (made.classes, made.header.gates) == (whole.classes, whole.header.gates)
    assert made.counts.tolist() == whole.counts.tolist()
    for gate in whole:
        here = made[gate.name]
        np.testing.assert_allclose(here.images(), gate.images(), atol=1e-6)
        for name in whole.classes:
            np.testing.assert_allclose(here.s(name).mean, gate.s(name).mean, atol=1e-6)
            np.testing.assert_allclose(here.z(name).std, gate.z(name).std, atol=1e-5)
        assert [one.name for one in here.highest(0)] == [one.name for one in gate.highest(0)]


def test_arrays_of_one_network_are_merged(tmp_path):
    s = np.random.default_rng(0).random((6, 4))
    labels, made = ["b", "a", "b", "c", "a", "c"], []
    for rows in (slice(0, 3), slice(3, 6)):
        path = tmp_path / f"{rows.start}.safetensors"
        made.append(profiles_from_arrays({"SE_4_2b": s[rows]}, labels[rows], path, functions={"SE_4_2b": "tanh"}))
    merged = merge(made, tmp_path / "both.safetensors")
    assert merged.classes == ("a", "b", "c")
    np.testing.assert_allclose(merged["SE_4_2b"].s("a").mean, s[[1, 4]].mean(0), atol=1e-6)
    entry = open_profiles(merged.path).header.gates[0]
    assert (entry.stage, entry.block, entry.function, entry.z) == (4, 2, "tanh", False)


def test_classes_without_images_keep_their_place(tmp_path):
    path = tmp_path / "made.safetensors"
    made = profiles_from_arrays({"SE_2_1": [[0.25], [0.75]]}, [2, 0], path, classes=["x", "empty", "y"])
    assert made.counts.tolist() == [1, 0, 1]
    assert made["SE_2_1"].s("y").mean.tolist() == [0.25]


@pytest.mark.parametrize(
    ("s", "labels", "options", "says"),
    [
        ({}, ["a"], {}, "at least one gate"),
        ({"SE_2_1": [[0.5]]}, [], {}, "There are no images: pass s and the labels"),
        ({"SE_2_1": [0.5, 0.5]}, ["a", "b"], {}, r"must have the shape \(2, C\), a row for each label, not \(2,\)"),
        ({"SE_2_1": [[0.5], [np.nan]]}, ["a", "b"], {}, "not finite for 1 of 2 images, the first at 1"),
        ({"layer1": [[0.5]]}, ["a"], {}, "Name the gates SE_STAGE_BLOCK, such as SE_2_1, not 'layer1'"),
        ({"SE_2_1": [[0.5]]}, ["a"], {"z": {"SE_2_1": [[0.5, 1]]}}, "z of SE_2_1 must have the shape of s"),
        ({"SE_2_1": [[0.5]]}, [0], {}, "need classes"),
        ({"SE_2_1": [[0.5]]}, [2], {"classes": ["a", "b"]}, "Labels must be 0 … 1, not 2 … 2"),
        ({"SE_2_1": [[0.5]]}, ["c"], {"classes": ["a", "b"]}, "'c' is not one of the 2 classes"),
        ({"SE_2_1": [[0.5]]}, ["a"], {"names": []}, "1 labels, but 0 names"),
        ({"SE_2_1": [[0.5]]}, ["a"], {"examples": 0}, "examples must be 1 or more"),
        ({"SE_2_1": [[0.5]]}, ["a"], {"examples": 1.5}, "examples must be a whole number, not 1.5"),
        ({"SE_2_1": [[0.5]]}, ["a"], {"classes": ["a", "a"]}, "different names: 'a' is there twice"),
        ({"SE_2_1": [[0.5]]}, [0], {"classes": [7]}, "classes must be a list of names"),
        ({"SE_2_1": [[0.5]]}, [[0]], {"classes": ["a"]}, r"labels must be a list \(N,\)"),
        ({"SE_2_1": [[0.5]]}, "a", {}, r"labels must be a list \(N,\)"),
        ({"SE_2_1": [[0.5]]}, [0.5], {"classes": ["a"]}, "of names or of whole numbers"),
        ({2: [[0.5]]}, ["a"], {}, "Name the gates SE_STAGE_BLOCK, such as SE_2_1, not 2"),
        ({"SE_2_1": [["x"]]}, ["a"], {}, r"s of SE_2_1 must be an array of numbers \(1, C\)"),
        ({"SE_2_1": [[0.5]]}, ["a"], {"functions": {"SE_2_1": "swish"}}, "must be one of sigmoid, .*, not 'swish'"),
        ({"SE_2_1": [[0.5]]}, ["a"], {"functions": {"SE_9_9": "tanh"}}, "names 'SE_9_9', and s has the gates SE_2_1"),
        ({"SE_2_1": [[0.5, 1.5]]}, ["a"], {}, "s of SE_2_1 is 0.5 … 1.5, and sigmoid gives 0 … 1"),
        ({"SE_2_1": [[-0.5]]}, ["a"], {"functions": {"SE_2_1": "relu"}}, "relu gives 0 … inf"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(s, labels, options, says, tmp_path):
    with pytest.raises(ProfilesError, match=says):
        profiles_from_arrays(s, labels, tmp_path / "made.safetensors", **options)
    assert not list(tmp_path.iterdir())


def test_tensors_with_gradients_and_in_half_precision_are_read(tmp_path):
    s = torch.tensor([[0.25], [0.75]], requires_grad=True)
    for number, array in enumerate((s, s.to(torch.bfloat16))):
        made = profiles_from_arrays({"SE_2_1": array}, ["a", "b"], tmp_path / f"{number}.safetensors")
        assert made["SE_2_1"].s("b").mean.tolist() == [0.75]


def test_the_precision_of_the_network_is_written(tiny_model, tmp_path):
    model, half = copy(tiny_model), copy(tiny_model)
    model.network, half.network = deepcopy(tiny_model.network).bfloat16(), deepcopy(tiny_model.network).half()
    s = {gate.name: np.full((1, gate.channels), 0.5) for gate in model.gates}
    made = profiles_from_arrays(s, ["a"], tmp_path / "made.safetensors", model=model)
    assert made.header.model.precision == "bf16"
    with pytest.raises(ProfilesError, match="Leave out functions: the gate functions are those of test/tiny"):
        profiles_from_arrays(s, ["a"], made.path, model=model, functions={next(iter(s)): "tanh"})
    with pytest.raises(ProfilesError, match="test/tiny computes in fp16"):
        profiles_from_arrays(s, ["a"], made.path, model=half)


def test_gates_of_another_network_are_refused(tiny_model, tmp_path):
    with pytest.raises(ProfilesError, match=r"test/tiny has the gates .*'SE_1_1': 8.* s has .*'SE_1_1': 7"):
        profiles_from_arrays({"SE_1_1": np.zeros((1, 7))}, ["a"], tmp_path / "made.safetensors", model=tiny_model)
