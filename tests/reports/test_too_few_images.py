"""Class profiles of so few images or classes that no gate can be named: the report does not name one."""

import numpy as np
import pytest

import se_viz
from se_viz.profiles.errors import ProfilesError

S = np.random.default_rng(0).random((6, 8)).astype(np.float32)


@pytest.mark.parametrize("labels", ["a", "aaaaaa", "abcdef"], ids=["one image", "one class", "one image of each class"])
def test_no_gate_is_named_where_nothing_can_be_told(labels, tmp_path):
    s = S[: len(labels)]
    profiles = se_viz.profiles_from_arrays({"SE_2_1": s, "SE_3_1": s}, list(labels), tmp_path / "p.safetensors")
    answer = se_viz.report(profiles).sentences[0]
    assert "cannot be told from these images" in str(answer)
    assert "Most in" not in str(answer)
    assert "constant" not in str(answer)


def test_two_images_of_a_class_and_another_class_are_enough(tmp_path):
    profiles = se_viz.profiles_from_arrays({"SE_2_1": S[:3]}, list("aab"), tmp_path / "p.safetensors")
    assert "cannot be told from these images" not in str(se_viz.report(profiles).sentences[0])


def test_no_images_are_said(tmp_path):
    with pytest.raises(ProfilesError, match="There are no images"):
        se_viz.profiles_from_arrays({"SE_2_1": S[:0]}, [], tmp_path / "p.safetensors")
