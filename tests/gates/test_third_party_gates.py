import numpy as np
import pytest
import torch
from support.networks import Host, make_images, squeezed
from support.third_party_gates import FOUND, FOUND_INSIDE, NOT_FOUND, WATCHED, GlobalContextLike, R, SELayer
from torch import nn

from se_viz.gates.errors import NoGateFound, PartlyFound
from se_viz.gates.find import find_gates
from se_viz.gates.se_unit import SEGate
from se_viz.interventions.capture import capture


def awakened(network):
    """Give a network strong weights, so that s is not close to 0.5 everywhere."""
    for parameter in network.parameters():
        parameter.data.mul_(3)
    return network.eval()


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("n", [1, 3])
def test_found(name, n):
    make, squeeze, function, bottleneck = FOUND[name]
    host = awakened(Host(make()))
    images = make_images(n)
    with torch.inference_mode():
        u = host.stem(images)
        x = host.gate(u.clone())
        logits = host(images)

    (gate,) = find_gates(host, 32)
    assert gate.path == "gate"
    assert (gate.squeeze, gate.gate_function, gate.bottleneck) == (squeeze, function, bottleneck)
    how = "watch" if name in WATCHED else "search"
    assert (gate.kind, gate.found_by, gate.channels) == (type(host.gate).__name__, how, 8)

    # The pool of fixed size needs images of the current size, which capture tries last.
    gate_capture = capture(host, images, ["SE_1_1"])
    np.testing.assert_array_equal(gate_capture.logits, logits.numpy())
    read = gate_capture["SE_1_1"]
    np.testing.assert_array_equal(read.u, u.numpy())
    np.testing.assert_array_equal(read.x, x.numpy())
    np.testing.assert_allclose(read.s[:, :, None, None] * read.u, read.x, rtol=1e-6, atol=1e-6)
    if squeeze != "other":
        np.testing.assert_allclose(read.z, squeezed(u.numpy(), squeeze), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", FOUND_INSIDE)
def test_found_inside_a_module_that_does_more(name):
    make, path = FOUND_INSIDE[name]
    host = awakened(Host(make()))
    (gate,) = find_gates(host, 32)
    assert (gate.path, gate.found_by) == (path, "watch")
    assert (gate.squeeze, gate.gate_function, gate.bottleneck) == ("avg", "sigmoid", R)
    images = make_images(3)
    (read,) = capture(host, images, ["SE_1_1"])
    np.testing.assert_allclose(read.s[:, :, None, None] * read.u, read.x, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(read.z, read.u.mean((2, 3)), rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        u = host.stem(images)
        s = host.gate.se(host.gate.conv(u)) if name == "product in the block" else None
        expected = host.gate.fc(u.mean((2, 3))) if s is None else s.flatten(1)
    np.testing.assert_allclose(read.s, expected.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NOT_FOUND)
def test_not_found(name):
    with pytest.raises(NoGateFound, match="No channel gate found in Host"):
        find_gates(awakened(Host(NOT_FOUND[name]())), 32)


def test_the_wrapper_of_a_gate_is_not_the_gate():
    host = Host(nn.Sequential(nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU()), nn.Sequential(SELayer(), nn.Identity())))
    assert [gate.path for gate in find_gates(host, 32)] == ["gate.1.0"]


def test_z_is_not_taken_for_an_attention_map_of_the_same_length():
    host = Host(nn.Sequential(nn.AdaptiveAvgPool2d((2, 4)), GlobalContextLike())).eval()
    images = make_images(2)
    with torch.inference_mode():
        u = host.gate[0](host.stem(images))
        weights = host.gate[1].attention(u).flatten(2).softmax(-1)
        z = (u.flatten(2) * weights).sum(-1)
    (gate_capture,) = capture(host, images)
    np.testing.assert_allclose(gate_capture.z, z.numpy(), rtol=1e-5, atol=1e-6)


def dead(gate, last):
    nn.init.zeros_(last.weight)
    nn.init.ones_(last.bias)
    return gate


def test_a_dead_gate_of_a_known_kind_is_found():
    gate = SEGate(8, 2, bias=True)
    (found,) = find_gates(Host(dead(gate, gate.fc2)), 32)
    assert (found.found_by, found.gate_function) == ("class", "sigmoid")


def test_a_dead_gate_of_an_unknown_kind_is_found_beside_a_living_one_only():
    gate = SELayer()
    dead(gate, gate.fc[2])
    with pytest.raises(NoGateFound):
        find_gates(Host(gate), 32)
    host = Host(nn.Sequential(gate, nn.ReLU(), SELayer()))
    assert [found.path for found in find_gates(host, 32)] == ["gate.0", "gate.2"]
    np.testing.assert_allclose(capture(host, make_images(2))["SE_1_1"].s, 1 / (1 + np.exp(-1)), rtol=1e-6)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = SELayer()

    def forward(self, x):
        return self.shared(self.shared(x).relu())


class OnQuarters(Twice):
    """A module that runs its gate on the four quarters of the maps as separate images."""

    def forward(self, x):
        quarters = torch.cat([half for row in x.chunk(2, 2) for half in row.chunk(2, 3)])
        return self.shared(quarters)[: len(x)]


def test_a_gate_that_runs_twice_is_read_twice():
    host = awakened(Host(Twice()))
    assert [(gate.name, gate.run) for gate in find_gates(host, 32)] == [("SE_1_1", 0), ("SE_1_1b", 1)]
    images = make_images(3)
    with torch.no_grad():
        first = host.stem(images)
        second = host.gate.shared(first).relu()
    both = capture(host, images, ["SE_1_1", "SE_1_1b"])
    for read, u in zip(both, (first, second), strict=True):
        np.testing.assert_array_equal(read.u, u.numpy())
        np.testing.assert_allclose(read.z, u.mean((2, 3)).numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(read.s, host.gate.shared.fc(u.mean((2, 3))).detach().numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(read.s[:, :, None, None] * read.u, read.x, rtol=1e-6, atol=1e-6)


def test_a_gate_without_one_s_for_an_image_is_left_out_with_a_word():
    says = r"gate\.shared runs on parts of an image or of the batch, so that no single s belongs to an image"
    with pytest.raises(NoGateFound, match=says):
        find_gates(Host(OnQuarters()), 32)
    host = Host(nn.Sequential(SELayer(), nn.Conv2d(8, 8, 1), OnQuarters()))
    with pytest.warns(PartlyFound, match=r"Left out: gate\.2\.shared runs on parts of an image"):
        assert [found.path for found in find_gates(host, 32)] == ["gate.0"]


class TwoArguments(SELayer):
    """A module that scales one map by a function of another, so it is not a function of its input."""

    def forward(self, x, guide):
        return x * self.fc(self.avg_pool(guide).flatten(1))[:, :, None, None]


class Guided(Host):
    def __init__(self, *others):
        super().__init__(TwoArguments())
        self.guide = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), *others)

    def forward(self, x):
        return self.head(self.gate(self.stem(x), self.guide(x)).mean((2, 3)))


def test_maps_weighed_by_what_another_map_says_have_an_s_and_no_z():
    host = awakened(Guided())
    (gate,) = find_gates(host, 32)
    assert (gate.path, gate.found_by, gate.squeeze, gate.has_z) == ("gate", "watch", "not seen", False)
    images = make_images(2)
    (read,) = capture(host, images, ["SE_1_1"])
    assert read.z is None
    with torch.no_grad():
        np.testing.assert_array_equal(read.u, host.stem(images).numpy())
        s = host.gate.fc(host.guide(images).mean((2, 3)))
    np.testing.assert_allclose(read.s, s.numpy(), rtol=1e-5, atol=1e-6)
