"""Modules that act differently in their network than alone: arguments, flags, sizes, hooks of other code."""

import numpy as np
import pytest
import torch
from support.networks import Host, make_images, model
from support.third_party_gates import SELayer
from torch import nn

from se_viz.gates.block import block_of
from se_viz.gates.errors import NoGateFound
from se_viz.gates.find import find_gates
from se_viz.gates.output import joined
from se_viz.interventions.capture import capture


class Scaled(SELayer):
    def forward(self, x, scale=1.0):
        return super().forward(x) * scale


class BySize(SELayer):
    def forward(self, x):
        y = self.fc(self.avg_pool(x).flatten(1))[:, :, None, None]
        return x * (y * (2 if x.shape[-1] > 15 else 1))


class Guided(SELayer):
    def forward(self, x, guide=None):
        z = self.avg_pool(x if guide is None else guide).flatten(1)
        return x * self.fc(z)[:, :, None, None]


class Calls(nn.Module):
    """A block that calls its gate with a second argument."""

    def __init__(self, gate, *arguments):
        super().__init__()
        self.conv, self.se, self.arguments = nn.Conv2d(8, 8, 1), gate, arguments

    def forward(self, x):
        return self.se(self.conv(x), *[x if one == "x" else one for one in self.arguments])


def read(network, n=3):
    (gate_capture,) = capture(network, make_images(n), ["SE_1_1"])
    np.testing.assert_allclose(gate_capture.s[:, :, None, None] * gate_capture.u, gate_capture.x, rtol=1e-5, atol=1e-6)
    return gate_capture


@pytest.mark.parametrize("gate", [Calls(Scaled(), 0.5), BySize()], ids=["an argument", "the size of the maps"])
def test_s_is_what_is_multiplied_in_the_network(gate):
    read(Host(gate).eval())


def test_z_is_not_the_squeeze_of_what_the_gate_takes_alone():
    gate_capture = read(Host(Calls(Guided(), "x")).eval())
    assert gate_capture.z is None
    assert gate_capture.gate.squeeze == "not seen"


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_a_hook_that_replaces_s_is_read_as_what_it_gives(before, held):
    host = Host(SELayer()).eval()

    def halve():
        host.gate.fc[3].register_forward_hook(lambda _module, _args, output: output * 0.5)

    if before:
        halve()
    target = model(host) if held else host
    read(target)
    if not before:
        halve()
    assert read(target).s.max() <= 0.5


class Works(Host):
    """A network that changes its images in place."""

    def forward(self, x):
        return super().forward(x.sub_(0.5).div_(0.25))


def test_images_are_not_changed():
    network, images = Works(SELayer()).eval(), make_images(2)
    kept = images.clone()
    first, second = capture(network, images), capture(network, images)
    assert torch.equal(images, kept)
    np.testing.assert_array_equal(first["SE_1_1"].s, second["SE_1_1"].s)


class Late(SELayer):
    """A gate that squeezes maps, overwrites them by a function without an underscore, and scales the result."""

    def forward(self, x):
        z = x.mean((2, 3))
        x = nn.functional.relu(x, inplace=True)
        return x * self.fc(z)[:, :, None, None]


class Sorted(SELayer):
    def forward(self, x):
        return x * self.fc(x.mean((2, 3)).sort(1).values)[:, :, None, None]


def test_z_is_the_squeeze_itself_or_none():
    assert read(Host(Late()).eval()).z is None
    gate_capture = read(Host(Sorted()).eval())
    np.testing.assert_allclose(gate_capture.z, gate_capture.u.mean((2, 3)), rtol=1e-5, atol=1e-6)


class Normalised(nn.Module):
    """Filter response normalisation, or another division by the strength of the maps."""

    def __init__(self, function):
        super().__init__()
        self.eps, self.gamma, self.function = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(8)), function

    def forward(self, x):
        return x * self.function(self, x.square().mean((2, 3), keepdim=True))


@pytest.mark.parametrize(
    "function",
    [
        lambda self, power: torch.rsqrt(power + self.eps.abs()),
        lambda self, power: self.gamma[:, None, None] * torch.rsqrt(power),
        lambda _self, power: 1 / power.sqrt().clamp_min(1e-5),
        lambda _self, power: (1 / power.sqrt()).clamp(max=1),
        lambda _self, power: torch.sigmoid(power.mean(1, keepdim=True)).repeat(1, 8, 1, 1),
    ],
    ids=["learnt eps", "gamma", "guarded", "clipped", "one number an image, repeated"],
)
def test_a_normalisation_is_no_gate(function):
    with pytest.raises(NoGateFound):
        find_gates(Host(Normalised(function)).eval(), 32)


class Remembers(nn.Module):
    """A network with one more multiplication in its first pass."""

    def __init__(self):
        super().__init__()
        self.fc, self.grid = nn.Linear(8, 8), None

    def forward(self, x):
        if self.grid is None:
            self.grid = torch.ones(1, 8, 1, 1) * 2
        x = x + self.grid
        return x * torch.sigmoid(self.fc(x.mean((2, 3))))[:, :, None, None]


def test_a_network_that_keeps_something_of_its_first_pass_is_read_at_every_pass():
    host = Host(Remembers()).eval()
    first = read(host)
    for _ in range(2):
        np.testing.assert_array_equal(read(host).s, first.s)


class Inline(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc, self.out = nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 8), nn.Conv2d(8, 8, 1)

    def forward(self, x):
        u = self.conv(x)
        return self.out(u * torch.sigmoid(self.fc(u.mean((2, 3))))[:, :, None, None]) + x


def test_the_block_of_a_gate_that_is_no_module():
    host = Host(nn.Sequential(Inline())).eval()
    (gate,) = find_gates(host, 32)
    block = block_of(host, gate, 32)
    assert [part.kind for part in block.parts] == ["convolution", "gate", "convolution"]
    assert (block.begins, block.ends) == (True, True)
    assert [(join.after, join.parts) for join in block.joins] == [(3, ())]


def test_outputs_of_batches_are_put_together_as_they_are():
    levels = [[torch.zeros(2, 3), torch.zeros(2, 5)], [torch.ones(2, 3), torch.ones(2, 5)]]
    merged = joined(levels, [2, 2])
    assert [tuple(level.shape) for level in merged] == [(4, 3), (4, 5)]
    assert joined([torch.zeros(3), torch.tensor(1.0)], [3, 1]).tolist() == [0, 0, 0, 1]


def test_a_network_that_casts_its_images_is_searched_in_its_own_type():
    class Casts(Host):
        def forward(self, x):
            return super().forward(x.bfloat16())

    torch.manual_seed(0)
    host = Casts(SELayer()).eval().bfloat16()
    for parameter in host.gate.parameters():
        parameter.data.mul_(4)
    assert [gate.path for gate in find_gates(host, 32)] == ["gate"]


def test_a_caller_in_inference_mode():
    host = Host(nn.Sequential(Inline(), SELayer()))
    with torch.inference_mode():
        taken = capture(host, make_images(2))
    assert len(taken) == 2
    host.train()(make_images(2)).sum().backward()
