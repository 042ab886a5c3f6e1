import numpy as np
import pytest

from se_viz.analysis.channel_change import change, choose_channels


def test_change_is_the_norm_of_the_difference(captured):
    gate_capture = captured["SE_5_2"]
    expected = np.linalg.norm((gate_capture.u - gate_capture.x).reshape(*gate_capture.s.shape, -1), axis=2)
    np.testing.assert_allclose(change(gate_capture), expected, rtol=1e-5)
    # X̃ = s·U, so the change is also |1 − s|·‖U‖.
    norm = np.linalg.norm(gate_capture.u.reshape(*gate_capture.s.shape, -1), axis=2)
    np.testing.assert_allclose(change(gate_capture), np.abs(1 - gate_capture.s) * norm, rtol=1e-4)


def test_change_from_the_mean_is_what_the_gate_does_for_this_image_alone(captured):
    gate_capture = captured["SE_5_2"]
    mean = np.linspace(0, 1, 768)
    expected = np.linalg.norm(((gate_capture.s - mean)[..., None, None] * gate_capture.u).reshape(-1, 768, 16), axis=2)
    np.testing.assert_allclose(change(gate_capture, mean), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(change(gate_capture, np.ones(768)), change(gate_capture), rtol=1e-4, atol=1e-5)


def test_change_needs_maps(captured):
    with pytest.raises(ValueError, match="SE_2_1"):
        change(captured["SE_2_1"])


@pytest.mark.parametrize(
    ("by", "expected"), [("highest s", [1, 2]), ("lowest s", [0, 3]), ("largest change", [3, 0]), ("chosen", [2, 0])]
)
def test_channels_are_chosen_by_their_criterion(by, expected):
    s = np.array([0.1, 0.9, 0.6, 0.4], dtype=np.float32)
    changed = np.array([2.0, 0.1, 1.0, 3.0], dtype=np.float32)
    assert choose_channels(s, changed, by, 2, [2, 2, 0, 99, -1, 1]) == expected
