"""Passes that write to memory of earlier passes read the same values as a first pass."""

import numpy as np
import pytest
import torch
from support.networks import SE, Host, demo, make_images, model
from torch import nn

from se_viz.gates.find import find_gates
from se_viz.gates.instrument import Instrument
from se_viz.interventions.capture import capture


def read_for_the_first_time(network, gates, images):
    return values(capture(Instrument(network, gates), images))


def values(read):
    return [np.array(array) for one in read for array in (one.z, one.s) if array is not None] + [np.array(read.logits)]


def test_each_pass_reads_its_images_and_leaves_the_values_of_earlier_ones():
    network = demo()
    gates = find_gates(network, 64)
    instrument = Instrument(network, gates)
    kept = []
    for seed, count in enumerate(
        (1, 1, 2, 1, 3, 4, 5, 6, 7, 1, 2, 2)
    ):  # more numbers of images than memory is kept for
        images = make_images(count, 64, seed=seed)
        read = capture(instrument, images)
        kept.append((read, values(read), read_for_the_first_time(network, gates, images)))
    assert instrument.value_places.take(2) is not None
    assert instrument.value_places.take(3) is None  # of more numbers of images than memory is kept for
    for read, then, expected in kept:
        for now, at_once, first in zip(values(read), then, expected, strict=True):
            np.testing.assert_array_equal(now, at_once)
            np.testing.assert_array_equal(now, first)


def test_arrays_that_a_caller_changes_are_not_those_of_the_next_pass():
    held = model(demo(), 64)
    images = make_images(1, 64)
    first = values(capture(held, images))
    for _ in range(2):
        read = capture(held, images)
        for one in read:
            one.z[:] = one.s[:] = -1
        read.output.zero_()
    for again, array in zip(values(capture(held, images)), first, strict=True):
        np.testing.assert_array_equal(again, array)


class Overwritten(nn.Module):
    """A gate that uses the memory of s for something else."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.sigmoid = nn.Linear(8, 2), nn.Linear(2, 8), nn.Sigmoid()

    def forward(self, x):
        """X̃."""
        s = self.sigmoid(self.fc2(self.fc1(x.mean((2, 3))).relu()))
        recalibrated = x * s[:, :, None, None]
        s.zero_()
        return recalibrated


class WithGradients(nn.Module):
    """A network that computes gradients even where its caller asked for none."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        """The logits."""
        with torch.enable_grad():
            return self.network(x)


@pytest.mark.parametrize(
    "build", [lambda: Host(Overwritten()), lambda: WithGradients(Host(SE())), lambda: Host(SE()).double()]
)
def test_every_kind_of_pass(build):
    network = build().eval()
    held = model(network, 16)
    for seed in range(4):
        images = make_images(2, 16, seed=seed)
        read = capture(held, images)
        for array, expected in zip(values(read), read_for_the_first_time(network, held.gates, images), strict=True):
            np.testing.assert_array_equal(array, expected)
        assert not read.output.requires_grad
