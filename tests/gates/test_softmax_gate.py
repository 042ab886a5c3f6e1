"""A softmax over channels is recognised as a gate function, as its weights would otherwise count as suppressed."""

import pytest
import torch
from torch import nn

from se_viz.analysis.health import health
from se_viz.gates.capture import read_gates
from se_viz.gates.find import find_gates

C = 32


class Gate(nn.Module):
    def __init__(self, last):
        super().__init__()
        self.fc = nn.Linear(C, C)
        self.last = last

    def forward(self, x):
        logits = self.fc(x.mean((2, 3)))
        return x * (logits.softmax(1) if self.last is None else self.last(logits))[:, :, None, None]


@pytest.mark.parametrize("last", [None, nn.Softmax(1)])
def test_a_softmax_over_channels_is_a_gate_function(last):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, C, 3), Gate(last), nn.Conv2d(C, C, 3), Gate(None)).eval()
    gates = find_gates(network, (16, 16))
    assert [gate.gate_function for gate in gates] == ["softmax", "softmax"]
    read = read_gates(network, torch.randn(3, 3, 16, 16))
    assert health(read[gates[0].name].s, "softmax").verdict != "dead"
