"""Edited gates that leave U as it is, that overwrite it, and that begin to overwrite it: s' · U is the same."""

import numpy as np
import pytest
import torch
from torch import nn

import se_viz
from se_viz.gates.instrument import Instrument
from se_viz.gates.instrument_cache import instrument_of


class Gate(nn.Module):
    """A gate that works in place if it is told to."""

    def __init__(self, channels: int, *, overwrites: bool) -> None:
        super().__init__()
        self.overwrites = overwrites
        self.fc1, self.fc2, self.sigmoid = nn.Linear(channels, 4), nn.Linear(4, channels), nn.Sigmoid()

    def forward(self, u):
        s = self.sigmoid(self.fc2(torch.relu(self.fc1(u.mean((2, 3)))))).view(len(u), -1, 1, 1)
        return u.mul_(s) if self.overwrites else u * s


class Network(nn.Module):
    def __init__(self, *, overwrites: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.again = nn.Conv2d(3, 16, 3, stride=2), nn.Conv2d(16, 8, 3)
        self.gate = Gate(16, overwrites=overwrites)

    def forward(self, images):
        return self.again(self.gate(torch.relu(self.conv(images)))).mean((2, 3))


IMAGES = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(1))
WEIGHTS = np.random.default_rng(2).uniform(0, 2, 16).astype(np.float32)


def by_hand():
    """Return U, s' · U and the outputs of the network with the edit."""
    network = Network(overwrites=False).eval()
    with torch.no_grad():
        u = torch.relu(network.conv(IMAGES))
        edited = u * torch.from_numpy(WEIGHTS).view(1, -1, 1, 1)
        return u.numpy(), edited.numpy(), network.again(edited).mean((2, 3)).numpy()


def check(instrument: Instrument, name: str) -> None:
    u, edited, outputs = by_hand()
    plain = se_viz.capture(instrument, IMAGES, maps=[name])
    for _ in range(3):  # the first pass finds out whether the gate overwrites U
        found = se_viz.capture(instrument, IMAGES, maps=[name], edits={name: WEIGHTS})
        np.testing.assert_array_equal(found[name].u, u)
        np.testing.assert_array_equal(found[name].x, edited)
        np.testing.assert_array_equal(found[name].s, plain[name].s)
        np.testing.assert_array_equal(found[name].s_applied, np.broadcast_to(WEIGHTS, (2, 16)))
        np.testing.assert_array_equal(found.logits, outputs)
    again = se_viz.capture(instrument, IMAGES, maps=[name])
    np.testing.assert_array_equal(again.logits, plain.logits)
    np.testing.assert_array_equal(again[name].x, plain[name].x)


@pytest.mark.parametrize("overwrites", [False, True])
def test_the_product_is_that_of_u_before_the_gate(overwrites):
    instrument = instrument_of(Network(overwrites=overwrites).eval(), (20, 20))
    (gate,) = instrument.gates
    check(instrument, gate.name)
    assert instrument._intact == {gate.name: not overwrites}


def test_a_gate_that_begins_to_overwrite_u_is_run_again():
    instrument = instrument_of(Network(overwrites=False).eval(), (20, 20))
    (gate,) = instrument.gates
    se_viz.capture(instrument, IMAGES, edits={gate.name: 1.0})
    assert instrument._intact == {gate.name: True}
    instrument.network.gate.overwrites = True
    check(instrument, gate.name)
    assert instrument._intact == {gate.name: False}
