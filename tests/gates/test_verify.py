import pytest
import torch
from support.networks import Host
from support.third_party_gates import SELayer
from timm.layers.squeeze_excite import SEModule, SqueezeExciteCl
from torch import nn

from se_viz.gates.find import find_gates
from se_viz.gates.gate import TapPoint
from se_viz.gates.gate_functions import GATE_FUNCTIONS, range_of
from se_viz.gates.known_gates import kind_of
from se_viz.gates.se_unit import SEGate
from se_viz.gates.verify import verify_gate


def proof(module, shape=(2, 8, 6, 6), *, dead=False, dtype=torch.float32):
    weights = torch.device("cpu"), dtype
    return verify_gate(module.eval().to(dtype), torch.Size(shape), weights, kind_of(module), dead=dead)


@pytest.mark.parametrize("squeeze", ["avg", "max"])
@pytest.mark.parametrize("function", ["sigmoid", "relu", "tanh"])
def test_a_gate(squeeze, function):
    shown = proof(SEGate(8, 2, squeeze, function))
    assert (shown.channels, shown.bottleneck, shown.squeeze, shown.gate_function) == (8, 4, squeeze, function)
    assert (shown.z_tap, shown.s_tap) == (TapPoint("fc1", "input"), TapPoint("gate", "output"))


class Off(SELayer):
    """A gate with a relative error of X̃ in one pixel of one channel."""

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, x):
        x = super().forward(x)
        x[-1, -1, -1, -1] *= 1 + self.share
        return x


@pytest.mark.parametrize(
    ("dtype", "share"), [(torch.float64, 1e-3), (torch.float32, 1e-2), (torch.float16, 0.2), (torch.bfloat16, 0.5)]
)
def test_what_differs_in_one_pixel_is_not_a_gate(dtype, share):
    torch.manual_seed(1)
    assert proof(Off(0), dtype=dtype) is not None
    assert proof(Off(share), dtype=dtype) is None


def test_zero_is_not_taken_for_s_times_zero():
    """A gate of a known class whose weights make it return only zeros still has its s, 0, read."""
    gate = SEGate(8, 2, gate="relu")
    nn.init.zeros_(gate.fc2.weight)
    assert proof(gate, dead=True).gate_function == "relu"
    assert proof(gate) is None

    class Zero(SEGate):
        def forward(self, u):
            return super().forward(u) * 0

    assert proof(Zero(8, 2), dead=True) is None


class NoGate(SEModule):
    """A subclass of a known class that does not multiply as its class does."""

    def forward(self, x):
        return super().forward(x) + 1


class FunctionalGate(SEModule):
    """A subclass of a known class that squeezes by the maximum and computes s without its gate module."""

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(self.act(self.fc1(x.amax((2, 3), keepdim=True)))))


def test_a_known_class_is_believed_no_more_than_others():
    assert proof(NoGate(8, rd_channels=4)) is None
    # No module has s as its output, so the multiplication is watched.
    assert proof(FunctionalGate(8, rd_channels=4)) is None
    (gate,) = find_gates(Host(FunctionalGate(8, rd_channels=4)), 32)
    assert (gate.found_by, gate.squeeze, gate.gate_function, gate.bottleneck) == ("watch", "max", "sigmoid", 4)


def test_maps_with_channels_last():
    shown = proof(SqueezeExciteCl(8, rd_channels=4), (2, 6, 6, 8))
    assert (shown.channels, shown.layout, shown.squeeze) == (8, "nhwc", "avg")


def test_maps_of_one_pixel_and_of_one_channel():
    assert proof(SEGate(8, 2), (2, 8, 1, 1)).channels == 8
    assert proof(SEGate(1, 1), (2, 1, 6, 6)).channels == 1


@pytest.mark.parametrize(
    "module", [nn.Conv2d(8, 8, 3), nn.Conv2d(8, 4, 1), nn.Linear(5, 8), nn.MultiheadAttention(8, 2)]
)
def test_what_takes_or_gives_something_else_is_not_a_gate(module):
    assert proof(module) is None


def test_the_gate_function_is_read_not_a_wrapper_around_it():
    gate = SELayer()
    gate.fc = nn.Sequential(gate.fc, nn.Identity(), nn.Dropout())
    assert proof(gate).s_tap == TapPoint("fc.0.3", "output")


def test_the_network_is_asked_nothing_about_gradients():
    gate = SELayer()
    proof(gate)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in gate.parameters())
    assert not any(parameter.is_inference() for parameter in gate.parameters())


@pytest.mark.parametrize("name", GATE_FUNCTIONS)
def test_the_range_of_a_gate_function_is_what_it_reaches(name):
    reached = GATE_FUNCTIONS[name].apply(torch.linspace(-1000, 1000, 2001))
    low, high = float(reached.min()), float(reached.max())
    assert range_of(name) == ((low, high) if high < 1000 else None)
