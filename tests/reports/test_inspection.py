from types import MappingProxyType

import numpy as np

from se_viz.gates.capture import Capture, GateCapture
from se_viz.reports.inspection import summary


def build(captured, **weights):
    by_gate = {name: GateCapture(captured[name].gate, s, s) for name, s in weights.items()}
    n = len(next(iter(weights.values())))
    return Capture(MappingProxyType(by_gate), n, np.zeros((n, 2), dtype=np.float32))


def test_names_the_gates_that_weigh_least_and_most_and_the_one_that_varies_most(captured):
    shut = np.full((2, 4), 0.2, dtype=np.float32)
    varied = np.array([[0.6, 0.9, 0.6, 0.9], [0.9, 0.6, 0.9, 0.6]], dtype=np.float32)
    text = summary(build(captured, SE_2_1=shut, SE_5_2=varied), 0, "The network says church (75%).")
    assert "church (75%)" in text
    assert "lowest in SE_2_1 (mean of s 0.20) and highest in SE_5_2 (0.75)" in text
    assert "most differently is SE_5_2 (s varies by 0.15 between them)" in text


def test_one_image_and_one_gate_make_no_comparison(captured):
    text = summary(build(captured, SE_2_1=np.full((1, 4), 0.2, np.float32)), 0, "It says x.")
    assert "The mean weight in SE_2_1 is 0.20." in text
    assert "highest" not in text
    assert "differently" not in text


def test_of_the_only_gate_it_is_said_how_much_it_varies(captured):
    varied = np.array([[0.6, 0.9], [0.9, 0.6]], dtype=np.float32)
    text = summary(build(captured, SE_5_1=varied), 0, "It says x.")
    assert text.endswith("The mean weight in SE_5_1 is 0.75. Its s varies by 0.15 between these 2 images.")


def test_weights_around_a_half_do_not_flip_the_words(captured):
    half = np.full((1, 4), 0.5, np.float32)
    texts = {
        summary(build(captured, SE_2_1=half + noise, SE_5_2=half + 0.1), 0, "It says x.") for noise in (-1e-6, 0, 1e-6)
    }
    assert len(texts) == 1


SAYS = "The network says x (100%)."


def test_gates_that_are_not_finite_are_named_and_compared_with_none(captured):
    broken = np.full((2, 4), np.nan, np.float32)
    varied = np.array([[0.6, 0.9, 0.6, 0.9], [0.9, 0.6, 0.9, 0.6]], dtype=np.float32)
    text = summary(build(captured, SE_2_1=varied * 0.5, SE_3_1=broken, SE_5_2=varied), 0, SAYS)
    assert "In 1 of 3 gates numbers are not finite, first in SE_3_1: its z and s are NaN for both images." in text
    assert "lowest in SE_2_1 (mean of s 0.38) and highest in SE_5_2 (0.75)" in text
    assert "most differently is SE_5_2" in text
    assert "nan" not in text
    text = summary(build(captured, SE_2_1=broken, SE_3_1=broken, SE_4_1=-broken), 0, SAYS)
    assert text.startswith(f"{SAYS} In all 3 gates numbers are not finite, first in SE_2_1: its z and s are NaN")
    assert text.endswith("read it in fp32 if it ran in fp16 or bf16.")


def test_images_that_are_finite_go_on_where_another_is_not(captured):
    varied = np.array([[0.6, 0.9, 0.6, 0.9], [0.9, 0.6, 0.9, 0.6], [np.nan] * 4], dtype=np.float32)
    capture = build(captured, SE_2_1=varied * 0.5, SE_5_2=varied)
    text = summary(capture, 0, SAYS)
    assert "first in SE_2_1: its z and s are NaN for 1 of 3 images (number 3)." in text
    assert "lowest in SE_2_1 (mean of s 0.38) and highest in SE_5_2 (0.75)" in text
    assert "treats these 2 images most differently is SE_5_2" in text
    assert "lowest" not in summary(capture, 2, SAYS)


def test_no_gate_is_said_to_tell_images_apart_where_none_does(captured):
    still = np.full((3, 4), 0.2, np.float32)
    text = summary(build(captured, SE_2_1=still, SE_5_2=still + 0.1), 0, SAYS)
    assert "differently" not in text
    assert text.endswith("In every gate s varies by less than 0.0001 between these 3 images.")
    moved = still.copy()
    moved[0] += 0.003
    text = summary(build(captured, SE_2_1=still, SE_5_2=moved), 0, SAYS)
    assert text.endswith("most differently is SE_5_2 (s varies by 0.001 between them).")
