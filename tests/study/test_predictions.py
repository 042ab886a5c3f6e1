import numpy as np
import pytest
import torch

from se_viz.study.predictions import top


def test_probabilities_are_torch_softmax_in_falling_order():
    logits = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    expected = torch.from_numpy(logits).softmax(1).sort(1, descending=True)
    for row, values, indices in zip(top(logits, tuple("abcdefgh")), *expected, strict=True):
        assert [prediction.probability for prediction in row] == pytest.approx(values[:5].tolist(), abs=1e-6)
        assert [prediction.label for prediction in row] == ["abcdefgh"[index] for index in indices[:5]]


def test_classes_without_names_are_numbered_and_few_classes_are_all_shown():
    assert [p.label for p in top(np.array([[0.0, 2.0]], dtype=np.float32), ())[0]] == ["class 1", "class 0"]
