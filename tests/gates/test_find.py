import pytest
import torch
from support.networks import Host, hooks, make_images, modes
from support.third_party_gates import Additive, SELayer
from torch import nn

from se_viz.gates.errors import NoGateFound, NotAnImageModel
from se_viz.gates.find import find_gates
from se_viz.gates.trace import trace


def state(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize(
    ("gate", "raises"), [(SELayer, None), (Additive, NoGateFound), (lambda: nn.Linear(3, 3), NotAnImageModel)]
)
def test_the_network_is_left_as_it_was(gate, raises):
    host = Host(nn.Sequential(gate(), nn.BatchNorm2d(8))).train()
    host.gate[1].eval()
    host.stem.requires_grad_(False)
    before, modes_before = state(host), modes(host)
    if raises:
        with pytest.raises(raises):
            find_gates(host)
    else:
        assert len(find_gates(host)) == 1
    assert modes(host) == modes_before
    assert hooks(host) == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in host.state_dict().items())
    assert all(parameter.grad is None for parameter in host.parameters())
    assert not any(parameter.requires_grad for parameter in host.stem.parameters())
    assert torch.is_grad_enabled()


def test_a_network_can_still_be_trained_after_it_was_searched():
    host = Host(SELayer()).train()
    find_gates(host)
    host(make_images(2)).sum().backward()
    assert all(parameter.grad is not None for parameter in host.parameters())


def test_finding_twice_finds_the_same():
    host = Host(nn.Sequential(SELayer(), nn.ReLU(), SELayer(nn.AdaptiveMaxPool2d)))
    first = find_gates(host)
    assert [gate.squeeze for gate in first] == ["avg", "max"]
    assert find_gates(host) == first


class Grey(Host):
    def __init__(self):
        super().__init__(SELayer())
        self.stem[0] = nn.Conv2d(1, 8, 3, stride=2)


class SpaceToDepth(Host):
    """A network whose first convolution takes 48 channels."""

    def __init__(self):
        super().__init__(SELayer())
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(48, 8, 3))


class OneSize(Host):
    def __init__(self, height, width):
        super().__init__(SELayer())
        self.size = height, width

    def forward(self, x):
        if x.shape[2:] != self.size:
            raise AssertionError(f"Only {self.size} will do")
        return super().forward(x)


def test_images_of_one_channel():
    assert len(find_gates(Grey())) == 1


def test_the_channels_of_the_first_convolution_are_not_always_those_of_the_images():
    assert len(find_gates(SpaceToDepth())) == 1


@pytest.mark.parametrize("side", [299, 256, 384, 128])
def test_the_usual_sizes_are_tried(side):
    assert trace(OneSize(side, side).eval()).width == side


def test_the_size_that_a_network_states_comes_first():
    network = OneSize(72, 72).eval()
    network.pretrained_cfg = {"input_size": (3, 72, 72)}
    assert trace(network).width == 72
    network.pretrained_cfg = "of another library"
    with pytest.raises(NotAnImageModel):
        trace(network)


def test_a_size_that_is_given():
    assert len(find_gates(OneSize(48, 48), 48)) == 1
    assert len(find_gates(OneSize(48, 64), (48, 64))) == 1
    with pytest.raises(NotAnImageModel, match=r"of size 64: Only \(48, 48\) will do"):
        find_gates(OneSize(48, 48), 64)


@pytest.mark.parametrize("side", [32, 64])
def test_a_network_for_small_images_needs_no_size(side):
    assert trace(OneSize(side, side).eval()).width == side


def test_the_first_failure_is_told():
    with pytest.raises(NotAnImageModel, match=r"of size 224 or 299 .* or 64 or 32: Only \(48, 48\) will do"):
        find_gates(OneSize(48, 48))


class OutOfMemory(Host):
    def forward(self, _images):
        raise torch.OutOfMemoryError("no more")


class OutOfMemoryAlone(SELayer):
    """A module that runs in its network once and then fails."""

    def __init__(self):
        super().__init__()
        self.runs = 0

    def forward(self, x):
        self.runs += 1
        if self.runs > 1:
            raise torch.OutOfMemoryError("no more")
        return super().forward(x)


@pytest.mark.parametrize("network", [OutOfMemory(SELayer()), Host(OutOfMemoryAlone())])
def test_running_out_of_memory_is_not_taken_for_something_else(network):
    with pytest.raises(torch.OutOfMemoryError):
        find_gates(network)
    assert hooks(network) == 0


def test_a_part_that_never_runs_is_no_gate():
    host = Host(SELayer())
    host.spare = SELayer()
    assert [gate.path for gate in find_gates(host)] == ["gate"]


def test_gates_come_in_the_order_in_which_they_run_not_in_which_they_are_written():
    class Backwards(Host):
        def __init__(self):
            super().__init__(SELayer())
            self.first = SELayer()

        def forward(self, x):
            return self.head(self.gate(self.first(self.stem(x)).relu()).mean((2, 3)))

    assert [gate.path for gate in find_gates(Backwards())] == ["first", "gate"]
