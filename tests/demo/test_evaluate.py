import numpy as np
import pytest
import torch
from torch import nn

from se_viz.data.imagenette import Labelled
from se_viz.demo import evaluate as measure
from se_viz.demo.recipe import PREPROCESS
from se_viz.weights.meta_model import count_params


def test_interval_is_wilsons():
    # Worked by hand for 8 of 10: centre (p + z²/2n)/(1 + z²/n), half width z·sqrt(p(1−p)/n + z²/4n²)/(1 + z²/n).
    found = measure.accuracy(8, 10)
    assert (found.low, found.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert found.top1 == 0.8


def test_macs_and_params_are_those_of_the_formula():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    )
    assert count_params(network) == 3 * 8 * 9 + 8 + 8 * 5 + 5
    assert measure.count_macs(network, (16, 16)) == 8 * 8 * 8 * 3 * 9 + 8 * 5


def test_correct_answers_are_counted_over_all_batches():
    labels = np.arange(7) % 3
    pixels = np.zeros((7, 3, 4, 4), dtype=np.uint8)
    for index, label in enumerate(labels):
        pixels[index, label] = 255
    pixels[6] = pixels[5]  # one that is wrong

    class Brightest(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return x.mean((2, 3)) * self.weight

    data = Labelled(pixels, labels, tuple("abcdefg"))
    assert measure.count_correct(Brightest(), data, PREPROCESS, batch=2) == 6
