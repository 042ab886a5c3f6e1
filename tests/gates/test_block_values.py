"""What computed s from z is seen in gates of all kinds, and its products give s."""

import pytest
import torch
from support import third_party_gates as written
from support.networks import Host, make_images
from support.odd_networks.inline import Inline
from torch import nn

from se_viz.gates.block_values import block_values
from se_viz.gates.capture import read_gates
from se_viz.gates.find import find_gates
from se_viz.gates.gate_functions import GATE_FUNCTIONS

KINDS = {
    written.SELayer: ("bottleneck", "ReLU"),
    written.FunctionalSigmoid: ("bottleneck", "ReLU"),
    written.Conv1x1: ("bottleneck", "SiLU"),
    written.OneSequential: ("bottleneck", "other"),  # a batch norm between the two layers
    written.InPlace: ("bottleneck", "ReLU"),
    written.SumOfPools: ("bottleneck", "ReLU"),
    written.Eca: ("neighbours", ""),
    written.CbamChannel: ("unknown", ""),  # s is a function of the sum of two outputs
}


def values_of(network):
    network = network.eval()
    (gate,) = find_gates(network, 32)
    images = make_images(1)
    gate_capture = read_gates(network, images, [gate.name])[gate.name]
    return (
        gate,
        gate_capture,
        block_values(network, gate, images, None if gate_capture.z is None else gate_capture.z[0], gate_capture.s[0]),
    )


def recomputed(gate, layers):
    """s from the products of the last layer."""
    last = layers.last
    if layers.kind == "neighbours":
        sums = [last.products(0, (channel,)).sum for channel in range(gate.channels)]
    else:
        sums = [last.products(channel, (0,) * (last.weight.ndim - 2)).sum for channel in range(gate.channels)]
    return GATE_FUNCTIONS[gate.gate_function].apply(torch.tensor(sums)).numpy()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_layers_of_a_gate_are_seen_and_give_s(kind):
    torch.manual_seed(1)
    host = Host(kind())
    for module in host.gate.modules():
        if isinstance(module, nn.BatchNorm2d):  # a fresh one is nearly the identity
            module.running_mean.uniform_(-1, 1)
    gate, gate_capture, values = values_of(host)
    layers = values.layers
    assert (layers.kind, layers.activation) == KINDS[kind]
    if layers.last is not None:
        assert recomputed(gate, layers) == pytest.approx(gate_capture.s[0], abs=1e-5)


@pytest.mark.parametrize("kind", [written.SELayer, written.Eca])
def test_u_comes_from_the_last_convolution_by_batch_norm(kind):
    torch.manual_seed(1)
    _, gate_capture, values = values_of(Host(kind()))
    (norm,) = values.before
    assert values.missing == ""
    assert (norm.kind, norm.text) == ("norm", "batch norm")
    for channel, row, column in ((0, 0, 0), (3, 7, 2), (7, 15, 15)):
        sum_ = values.convolution.products(channel, (row, column)).sum
        u = norm.scale[channel] * sum_ + norm.shift[channel]
        assert u == pytest.approx(float(gate_capture.u[0, channel, row, column]), abs=1e-5)


def test_a_gate_that_is_no_module_is_followed():
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Sequential(Inline(8, 16)), nn.AdaptiveAvgPool2d(1)
    )
    gate, gate_capture, values = values_of(network)
    assert gate.product is not None
    assert values.layers.kind == "bottleneck"
    assert values.layers.activation == "SiLU"
    assert recomputed(gate, values.layers) == pytest.approx(gate_capture.s[0], abs=1e-5)
    # The activation before U is a module that runs several times in the block.
    assert values.convolution.groups == 16
    assert [operation.text for operation in values.before] == ["SiLU"]
    assert values.mixed_by.text == "1 × 1 convolution"


class Functional(nn.Module):
    """A block whose activations are functions: before the gate, and after the addition."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.gate = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), written.SELayer()

    def forward(self, x):
        return torch.relu(self.gate(torch.nn.functional.silu(self.bn(self.conv(x)))) + x)


def test_functions_before_and_after_the_gate_are_named():
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Sequential(Functional()), nn.AdaptiveAvgPool2d(1)
    )
    _, gate_capture, values = values_of(network)
    assert [(operation.kind, operation.text) for operation in values.before] == [
        ("norm", "batch norm"),
        ("activation", "SiLU"),
    ]
    assert values.before[-1].output == pytest.approx(gate_capture.u[0], abs=1e-5)
    (sum_,) = values.after
    assert (sum_.identity, sum_.function) == (True, "ReLU")
    assert sum_.output == pytest.approx(values.output, abs=1e-6)
    assert sum_.added == pytest.approx(values.input)


def test_a_block_without_a_convolution_before_the_gate_says_so():
    class Before(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate, self.conv = written.SELayer(), nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x):
            return self.conv(self.gate(x)) + x

    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Sequential(Before()), nn.AdaptiveAvgPool2d(1))
    _, _, values = values_of(network)
    assert values.convolution is None
    assert "no convolution before the gate" in values.missing
    assert values.mixed_by.text == "3 × 3 convolution"
