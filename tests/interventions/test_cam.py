"""Class-activation maps of U and X̃, against captum's LayerGradCam called by hand on the whole network."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import timm
import torch
import torchvision
from captum.attr import LayerGradCam
from PIL import Image
from support.networks import noise
from support.odd_networks.cases import CASES, odd_network
from support.quick import every, exhaustive
from torch import nn

import se_viz
from se_viz.figures.activation_overlay import activation_overlay
from se_viz.gates.errors import NotFiniteValues, NotReadable
from se_viz.gates.find import find_gates
from se_viz.interventions.cam import cam


@pytest.fixture(scope="module")
def demo():
    model = se_viz.load("demo/r16", device="cpu", fast=False)
    yield model
    model.close()


def captums(network, gate, images, targets):
    """Captum's maps of the input and the output of the gate's module, of a copy."""
    network = copy.deepcopy(network)
    method = LayerGradCam(network, network.get_submodule(gate.path))
    inputs = images.clone().requires_grad_()
    return [
        method.attribute(inputs, torch.as_tensor(targets), attribute_to_layer_input=of_input)[:, 0].detach().numpy()
        for of_input in (True, False)
    ]


def check(network, gate, images, found, rtol=1e-4):
    for ours, theirs in zip((found.u, found.x), captums(network, gate, images, found.targets), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=rtol * np.abs(theirs).max())


@pytest.mark.slow
@pytest.mark.parametrize("gate", ["SE_2_1", "SE_4_2", "SE_5_2"])
def test_maps_are_captums(demo, gate):
    images = [se_viz.sample("cat"), se_viz.sample("temple")]
    for target in (None, [3, 7], "tench"):
        found = cam(demo, images, gate, target)
        check(demo.network, demo.gate(gate), demo.inputs(images), found, 1e-5)
    np.testing.assert_array_equal(found.targets, [0, 0])
    np.testing.assert_array_equal(cam(demo, images, gate).targets, se_viz.capture(demo, images).logits.argmax(1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "legacy_seresnet18",
        "seresnet18",
        "mobilenetv3_small_050",
        "ese_vovnet19b_dw",
        *exhaustive("efficientnet_b0", "regnet_y_400mf"),
    ],
)
def test_maps_are_captums_in_networks_that_work_in_place(name):
    torch.manual_seed(0)
    network = (
        torchvision.models.get_model(name, weights=None) if name == "regnet_y_400mf" else timm.create_model(name)
    ).eval()
    images, gates = noise(2), find_gates(network, 64)
    for gate in (gates[0], gates[-1]):
        check(network, gate, images, cam(network, images, gate.name), 1e-4)


def test_batches_give_what_one_pass_gives(demo):
    images = noise(5, 128)
    whole, parts = (cam(demo, images, "SE_5_1", [1, 2, 3, 4, 5], batch=batch) for batch in (8, 2))
    np.testing.assert_allclose(parts.u, whole.u, atol=1e-5 * np.abs(whole.u).max())
    np.testing.assert_allclose(parts.x, whole.x, atol=1e-5 * np.abs(whole.x).max())
    np.testing.assert_array_equal(parts.targets, [1, 2, 3, 4, 5])


class InPlace(nn.Module):
    """A block whose code multiplies U by s; ``way`` says how."""

    def __init__(self, way):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.fc = nn.Conv2d(3, 8, 3, 2), nn.Linear(8, 8)
        self.last, self.head = nn.Conv2d(8, 8, 3), nn.Linear(8, 5)
        self.way = way
        nn.init.normal_(self.fc.weight, std=2)

    def forward(self, x):
        u = self.stem(x)
        s = self.fc(u.mean((2, 3))).sigmoid()[:, :, None, None]
        shortcut = u.flip(1)
        if self.way == "in place":
            u *= s
        elif self.way == "in a view":
            u.permute(0, 2, 3, 1).mul_(s.permute(0, 2, 3, 1))
        elif self.way == "addcmul":
            return self.head(self.last(torch.addcmul(shortcut, u, s)).relu_().mean((2, 3)))
        else:
            u = u * s
        u += shortcut
        return self.head(self.last(u).relu_().mean((2, 3)))


@pytest.mark.parametrize("way", ["in place", "in a view", "addcmul", "plain"])
def test_maps_of_a_multiplication_in_a_blocks_code(way):
    """All ways compute the same; of the last, autograd gives the gradients by U and X̃ as variables."""
    network, images = InPlace(way), noise(2, 32)
    gate = find_gates(network, 32)[0]
    assert gate.product is not None
    found = cam(network, images, gate.name, 2)
    with torch.no_grad():
        u = network.stem(images)
    u.requires_grad_()
    x = u * network.fc(u.mean((2, 3))).sigmoid()[:, :, None, None]
    x.retain_grad()
    network.head(network.last(x + u.flip(1)).relu().mean((2, 3)))[:, 2].sum().backward()
    for ours, maps in ((found.u, u), (found.x, x)):
        expected = (maps.grad.mean((2, 3), keepdim=True) * maps).sum(1).detach().numpy()
        np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())


REFUSED = {
    "inline: product: mul(out=)": "goes another way for them, or where gradients are computed",
    "way: autograd function": "No gradient reaches SE_1_1",
    "call: data in place": "No gradient reaches SE_1_1",
    "way: lock": "cannot be copied",
}


@pytest.mark.parametrize("name", every(6, CASES))
def test_maps_of_odd_gates_or_a_sentence(name):
    with odd_network(name, 2) as (network, images, gates):
        for gate in gates:
            if name in REFUSED and (gate is gates[0] or name == "way: lock"):
                with pytest.raises(NotReadable, match=REFUSED[name]):
                    cam(network, images, gate.name, 1)
                continue
            found = cam(network, images, gate.name, 1)
            u = se_viz.capture(network, images, [gate.name])[gate.name].u
            assert found.u.shape == found.x.shape == (2, *u.shape[2:])
            assert np.isfinite(found.u).all()
            assert np.abs(found.x).max() > 0


@pytest.mark.slow
def test_leaves_the_network_alone_and_threads_apart(demo):
    images = [se_viz.sample("cat")]
    before = se_viz.capture(demo, images).logits
    alone = {gate.name: cam(demo, images, gate.name) for gate in demo.gates}
    with ThreadPoolExecutor(8) as pool:
        several = list(pool.map(lambda gate: cam(demo, images, gate.name), demo.gates * 2))
    for found in several:
        np.testing.assert_array_equal(found.u, alone[found.gate].u)
        np.testing.assert_array_equal(found.x, alone[found.gate].x)
    assert all(parameter.grad is None for parameter in demo.network.parameters())
    np.testing.assert_array_equal(se_viz.capture(demo, images).logits, before)


@pytest.mark.filterwarnings("error")
def test_maps_that_are_not_finite_are_said(demo):
    images = noise(3, 128)
    images[1] *= torch.inf
    with pytest.warns(
        NotFiniteValues, match=r"of SE_5_2 have NaN .* values \(U of 1 and X̃ of 1 of 3 images\)"
    ) as caught:
        found = cam(demo, images, "SE_5_2", 0)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert found.not_finite == str(caught[0].message)
    alone = cam(demo, images[[0, 2]], "SE_5_2", 0)
    assert alone.not_finite == ""
    np.testing.assert_allclose(found.x[[0, 2]], alone.x, atol=1e-5)
    chart = activation_overlay(found, 1, "cat", Image.new("RGB", (96, 96)), "tench")
    assert "NaN or infinite" in chart.alt


def test_says_what_is_wrong(demo):
    images = noise(2, 128)
    with pytest.raises(KeyError, match="There is no gate 'SE_9_9': choose one of SE_2_1"):
        cam(demo, images, "SE_9_9")
    with pytest.raises(KeyError, match="There is no class 'unicorn': choose one of tench"):
        cam(demo, images, "SE_5_2", "unicorn")
    with pytest.raises(ValueError, match="3 targets for 2 images"):
        cam(demo, images, "SE_5_2", [1, 2, 3])
    with pytest.raises(ValueError, match="batch must be"):
        cam(demo, images, "SE_5_2", batch=0)

    class Detached(nn.Module):
        def __init__(self, whole):
            super().__init__()
            self.inner = whole

        def forward(self, x):
            return self.inner(x).detach()

    with pytest.raises(NotReadable, match="computes its logits without gradients"):
        cam(Detached(demo.network), images, "SE_5_2")
