from types import MappingProxyType

import numpy as np

from se_viz.gates.capture import Capture, Reading
from se_viz.study.predictions import Prediction
from se_viz.study.summary import summary


def build(captured, **weights):
    readings = {name: Reading(captured[name].gate, s, s) for name, s in weights.items()}
    n = len(next(iter(weights.values())))
    return Capture(MappingProxyType(readings), np.zeros((n, 2), dtype=np.float32))


def test_names_the_gate_that_shuts_most_and_the_one_that_varies_most(captured):
    shut = np.full((2, 4), 0.2, dtype=np.float32)
    varied = np.array([[0.6, 0.9, 0.6, 0.9], [0.9, 0.6, 0.9, 0.6]], dtype=np.float32)
    text = summary(build(captured, SE_2_1=shut, SE_5_2=varied), 0, Prediction("church", 0.75))
    assert "church (75%)" in text
    assert "SE_2_1 turned 100% of its channels down to less than half, SE_5_2 only 0%" in text
    assert "most differently is SE_5_2 (s varies by 0.15 between them)" in text


def test_one_picture_and_one_gate_make_no_comparison(captured):
    text = summary(build(captured, SE_2_1=np.full((1, 4), 0.2, np.float32)), 0, Prediction("x", 1.0))
    assert "only" not in text
    assert "differently" not in text
