"""Frozen networks against edits of the same gates, and what may be folded and what may not."""

import copy
import json
import warnings

import numpy as np
import onnxruntime
import pytest
import safetensors.torch
import timm
import torch
import torchvision
from support.networks import noise
from support.odd_networks.cases import CASES, odd_network
from support.quick import every
from torch import nn

import se_viz
from se_viz.data.preprocess import Preprocess
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.gates.find import find_gates
from se_viz.gates.se_unit import SEGate
from se_viz.interventions.baseline import NoMean
from se_viz.interventions.capture import capture
from se_viz.interventions.constant_gates import MULTIPLIES, PASSES, CannotFreeze
from se_viz.interventions.edits import mean_of, scale, shuffle, swap
from se_viz.interventions.fold_gate import ConstantGate
from se_viz.interventions.freeze import freeze
from se_viz.interventions.frozen_file import FrozenRefused
from se_viz.interventions.frozen_network import FrozenNetwork
from se_viz.zoo import registry

TIMM = (
    "legacy_seresnet18",
    "mobilenetv3_small_050",
    "efficientnet_b0",
    "regnety_002",
    "seresnext26ts",
    "ecaresnet26t",
    "ese_vovnet19b_dw",
    "ghostnetv2_100",
)
TORCHVISION = ("regnet_y_400mf", "mobilenet_v3_small")


@pytest.fixture(scope="module")
def demo():
    model = se_viz.load("demo/r16", device="cpu", fast=False)
    yield model
    model.close()


def lively(network):
    """Give BatchNorm numbers as after training, so that an error in folding them shows."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def distance(found, expected):
    return np.abs(np.asarray(found.detach()) - expected).max() / np.abs(expected).max()


def weights(gates, low=0.0):
    generator = torch.Generator().manual_seed(1)
    return {gate.name: low + (1 - low) * torch.rand(gate.channels, generator=generator) for gate in gates}


def named_network(name):
    torch.manual_seed(0)
    if name in TORCHVISION:
        return lively(torchvision.models.get_model(name, weights=None, num_classes=7))
    return lively(timm.create_model(name, num_classes=7))


@pytest.mark.slow
@pytest.mark.parametrize("name", every(3, [*TIMM, *TORCHVISION]))
def test_a_frozen_network_equals_the_edit(name):
    network, images = named_network(name), noise(3)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gates = find_gates(network, 64)
    values = weights(gates)
    frozen = freeze(network, values, size=64)
    assert distance(frozen.network(images), capture(network, images, edits=values).logits) < 1e-6
    # All of these have a neighbour that can multiply.
    assert all(gate.how.startswith("into ") for gate in frozen.gates)
    own = {id(p): p.numel() for gate in gates for p in network.get_submodule(gate.path).parameters()}
    assert frozen.parameters_before - frozen.parameters_after == sum(own.values()) > 0
    assert 0 < frozen.macs_after < frozen.macs_before
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    shared = {p.data_ptr() for p in network.parameters()} & {p.data_ptr() for p in frozen.network.parameters()}
    assert not shared


@pytest.mark.slow
@pytest.mark.parametrize("name", ["legacy_seresnet18", "mobilenetv3_small_050", "regnety_002"])
def test_folding_is_exact_in_double_precision(name):
    network = named_network(name).double()
    gates = find_gates(network, 64)
    values = weights(gates, low=-1.0)
    frozen = freeze(network, values, size=64)
    images = noise(3).double()
    multiplied = copy.deepcopy(network)
    for gate in frozen.gates:
        multiplied.set_submodule(gate.path, ConstantGate(torch.from_numpy(gate.s), gate.layout))
    with torch.no_grad():
        assert distance(frozen.network(images), multiplied(images).numpy()) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("integration", "how"),
    [
        ("standard", ("into BatchNorm layer4.0.bn3", "into BatchNorm layer4.1.bn3")),
        ("pre", ("into convolution layer4.0.conv1", "into convolution layer4.1.conv1")),
        ("post", (MULTIPLIES, MULTIPLIES)),
        ("identity", ("into BatchNorm layer4.0.downsample.2", MULTIPLIES)),
    ],
)
def test_a_frozen_demo_network_equals_the_edit(integration, how):
    network = lively(SEResNet(SEResNetConfig(integration=integration)))
    images, gates = noise(2, 128), find_gates(network, 128)
    values = weights(gates)
    frozen = freeze(network, values, size=128)
    assert distance(frozen.network(images), capture(network, images, edits=values).logits) < 1e-6
    assert tuple(gate.how for gate in frozen.gates[-2:]) == how
    assert frozen.constants == sum(len(gate.s) for gate in frozen.gates if gate.how == MULTIPLIES)


@pytest.mark.slow
def test_means_stages_and_one(demo):
    images = [se_viz.sample("cat"), se_viz.sample("temple")]
    values = {"SE_5_2": "mean", "stage 4": mean_of("tench"), "all": 1.0}
    frozen = freeze(demo, values)
    expected = capture(demo, images, edits=values).logits
    assert distance(frozen.network(demo.inputs(images)), expected) < 1e-6
    how = {gate.name: gate.how for gate in frozen.gates}
    assert how["SE_2_1"] == how["SE_5_1"] == PASSES
    assert how["SE_4_1"] == "into BatchNorm layer3.0.bn3"
    assert isinstance(frozen.network.layer4[1].se, nn.Identity)
    assert (frozen.name, frozen.classes, frozen.preprocess) == (demo.name, demo.classes, demo.preprocess)
    one = freeze(demo, {"SE_5_2": "mean"})
    gate = demo.network.layer4[1].se
    assert one.parameters_before - one.parameters_after == sum(p.numel() for p in gate.parameters())
    assert one.macs_before - one.macs_after == sum(p.numel() for p in gate.parameters() if p.ndim > 1)
    assert distance(one.network(demo.inputs(images)), capture(demo, images, edits={"SE_5_2": "mean"}).logits) < 1e-6


class Small(nn.Module):
    """A gate between two convolutions, with what ``between`` does of U and X̃."""

    def __init__(self, between, *, groups=1, padding_mode="zeros", bias=True, norm=False):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, 2, bias=bias)
        self.norm = nn.BatchNorm2d(8) if norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True)
        self.gate = SEGate(8, 2)
        self.last = nn.Conv2d(8, 12, 3, padding=1, groups=groups, padding_mode=padding_mode)
        self.fc = nn.Linear(12, 5)
        self.between = between

    def forward(self, x):
        return self.fc(self.between(self, x).mean((2, 3)))


def u_goes_elsewhere_too(m, x):
    u = m.stem(x)
    return m.last(m.gate(u)) + u.mean()


def both_go_elsewhere_too(m, x):
    u = m.stem(x)
    recalibrated = m.gate(u)
    return m.last(recalibrated) + recalibrated.mean() + u.mean()


def before_relu_goes_elsewhere(m, x):
    u = m.stem(x)
    return m.last(m.gate(torch.relu(u)) + u)


CASES_OF_FOLDING = {
    "straight": (lambda m, x: m.last(m.gate(m.stem(x))), "into convolution stem", {}),
    "no bias": (lambda m, x: m.last(m.gate(m.stem(x))), "into convolution stem", {"bias": False}),
    "behind BatchNorm": (lambda m, x: m.last(m.gate(m.norm(m.stem(x)))), "into BatchNorm norm", {"norm": True}),
    "behind ReLU": (lambda m, x: m.last(m.gate(m.relu(m.stem(x)))), "into convolution stem", {}),
    "behind another function": (lambda m, x: m.last(m.gate(m.stem(x).tanh())), "into convolution last", {}),
    "groups": (lambda m, x: m.last(m.gate(m.stem(x).tanh())), "into convolution last", {"groups": 4}),
    "reflected edges": (
        lambda m, x: m.last(m.gate(m.stem(x).tanh())),
        "into convolution last",
        {"padding_mode": "reflect"},
    ),
    "U goes elsewhere too": (
        u_goes_elsewhere_too,
        "into convolution last",
        {},
    ),
    "U and X̃ go elsewhere too": (
        both_go_elsewhere_too,
        MULTIPLIES,
        {},
    ),
    "a convolution that runs twice": (
        lambda m, x: m.last(m.gate(m.stem(x).tanh())) + m.last(m.stem(x.flip(0))),
        MULTIPLIES,
        {},
    ),
    "U before ReLU goes elsewhere": (
        before_relu_goes_elsewhere,
        MULTIPLIES,
        {},
    ),
    "X̃ is written over": (lambda m, x: m.last(m.gate(m.stem(x).tanh()).add_(1)), MULTIPLIES, {}),
}


# One case puts the images into another order, which is told.
@pytest.mark.filterwarnings("ignore:.*images of a batch into another order")
@pytest.mark.parametrize("case", CASES_OF_FOLDING)
@pytest.mark.parametrize("sign", [1, -1])
def test_folds_where_that_is_exact_and_nowhere_else(case, sign):
    between, how, options = CASES_OF_FOLDING[case]
    network, images = lively(Small(between, **options)), noise(3, 32)
    s = sign * torch.linspace(0.1, 0.9, 8)
    frozen = freeze(network, {"SE_1_1": s}, size=32)
    # s · max(0, u) is not max(0, s · u) for s < 0.
    expected = "into convolution last" if case == "behind ReLU" and sign < 0 else how
    assert frozen.gates[0].how == expected
    assert isinstance(frozen.network.gate, ConstantGate if how == MULTIPLIES else nn.Identity)
    assert distance(frozen.network(images), capture(network, images, edits={"SE_1_1": s}).logits) < 1e-6


def test_does_not_fold_into_what_the_network_returns_besides_or_what_has_hooks():
    class Returns(Small):
        def forward(self, x):
            u = self.stem(x)
            return self.fc(self.last(self.gate(u)).mean((2, 3))), u

    network, images = lively(Returns(None)), noise(2, 32)
    frozen = freeze(network, {"SE_1_1": 0.5}, size=32)
    assert frozen.gates[0].how == "into convolution last"
    assert torch.equal(frozen.network(images)[1], network(images)[1])
    for part in (network.last, network.stem):
        part.register_forward_hook(lambda _module, _args, _output: None)
    assert freeze(network, {"SE_1_1": 0.5}, size=32).gates[0].how == MULTIPLIES


def test_a_gate_that_other_code_looks_into():
    class Looks(Small):
        def forward(self, x):
            return self.fc(self.last(self.gate(self.stem(x))).mean((2, 3)) * self.gate.fc1.weight.mean())

    with pytest.raises(CannotFreeze, match="does not run with a constant instead of gate"):
        freeze(lively(Looks(None)), {"SE_1_1": 0.5}, size=32)


def test_a_module_that_is_several_gates():
    class Twice(Small):
        def forward(self, x):
            x = self.gate(self.stem(x).tanh())
            return self.fc(self.last(self.gate(torch.relu(x))).mean((2, 3)))

    network, images = lively(Twice(None)), noise(2, 32)
    names = [gate.name for gate in find_gates(network, 32)]
    assert len(names) == 2
    with pytest.raises(CannotFreeze, match="are runs of one module, gate: freeze all of them"):
        freeze(network, {names[0]: 0.5}, size=32)
    with pytest.raises(CannotFreeze, match="to the same weights"):
        freeze(network, {names[0]: 0.5, names[1]: 0.25}, size=32)
    frozen = freeze(network, {"all": 0.5}, size=32)
    assert [gate.how for gate in frozen.gates] == [MULTIPLIES] * 2
    assert distance(frozen.network(images), capture(network, images, edits={"all": 0.5}).logits) < 1e-6


REFUSED = {
    "shared: one gate in two blocks": "are runs of one module",
    "shared: everything shared": "are runs of one module",
    "shared: twice in a block": "are runs of one module",
    "way: functional call": "does not run with a constant instead of body.0.se",  # its parameters are given to it
}


@pytest.mark.parametrize("name", every(6, CASES))
def test_odd_gates_equal_the_edit_or_are_refused(name):
    with odd_network(name, 3) as (network, images, gates):
        values = weights(gates, low=-1.0)
        inline = [gate for gate in gates if gate.product]
        if inline:
            with pytest.raises(CannotFreeze, match="the code of the block multiplies by s"):
                freeze(network, {inline[0].name: 0.5})
        values = {gate.name: values[gate.name] for gate in gates if not gate.product}
        if not values:
            return
        if name in REFUSED:
            with pytest.raises(CannotFreeze, match=REFUSED[name]):
                freeze(network, values)
            return
        frozen = freeze(network, values)
        expected = capture(network, images, edits=values)
    half = images.dtype in (torch.bfloat16, torch.float16) or "autocast" in name
    assert distance(frozen.network(images).float(), expected.logits) < (3e-2 if half else 2e-6)


def test_says_what_cannot_be_a_constant(demo):
    for value, what in (
        (swap(None), r"not to swap\(…\)"),
        (shuffle(1), r"not to shuffle\(…\)"),
        (scale(0.5), r"not to scale\(…\)"),
        ({3: 0.0}, "not to single channels"),
    ):
        with pytest.raises(TypeError, match=f"SE_5_2 can be frozen to a number, .*{what}"):
            freeze(demo, {"SE_5_2": value})
    with pytest.raises(KeyError, match=r"SE_9_9.*choose one of SE_2_1, SE_2_2"):
        freeze(demo, {"SE_9_9": 1.0})
    with pytest.raises(ValueError, match=r"it takes a number, \(768,\)"):
        freeze(demo, {"SE_5_2": torch.ones(2, 768)})
    with pytest.raises(ValueError, match="NaN"):
        freeze(demo, {"SE_5_2": float("nan")})
    with pytest.raises(TypeError, match=r'as in \{"SE_2_1": "mean"\}, not list'):
        freeze(demo, ["SE_5_2"])
    with pytest.raises(ValueError, match="Say which gates to freeze"):
        freeze(demo, {})
    with pytest.raises(NoMean):
        freeze(demo.network, {"SE_5_2": "mean"}, size=128)


@pytest.mark.slow
def test_what_is_saved_is_loaded_with_the_same_bits(demo, tmp_path):
    images = demo.inputs([se_viz.sample("cat")])
    frozen = freeze(demo, {"SE_5_2": "mean", "SE_3_1": 1.0})
    frozen.save(tmp_path / "frozen.safetensors")
    about = json.loads((tmp_path / "frozen.json").read_text())
    assert about["model"] == "demo/r16"
    assert [gate["how"] for gate in about["gates"]] == [PASSES, "into BatchNorm layer4.1.bn3"]
    for network in (None, demo, demo.network):
        again = FrozenNetwork.load(tmp_path / "frozen.safetensors", network)
        assert torch.equal(again.network(images), frozen.network(images))
        for name in ("classes", "preprocess", "input", "macs_after", "parameters_before", "parameters_after"):
            assert getattr(again, name) == getattr(frozen, name)
        np.testing.assert_array_equal(again.gates[1].s, frozen.gates[1].s)
    assert demo.network.layer4[1].se.fc1.weight.numel()  # which is where it was
    with pytest.raises(FrozenRefused, match="does not fit this network"):
        FrozenNetwork.load(tmp_path / "frozen.safetensors", timm.create_model("regnety_002"))
    with pytest.raises(ValueError, match=r"name the file frozen\.safetensors"):
        frozen.save(tmp_path / "frozen.pt")


def test_a_multiplication_is_saved_too(tmp_path):
    network, images = lively(Small(CASES_OF_FOLDING["X̃ is written over"][0])), noise(2, 32)
    frozen = freeze(network, {"SE_1_1": torch.linspace(-1, 1, 8)}, size=32)
    frozen.save(tmp_path / "frozen.safetensors")
    with pytest.raises(FrozenRefused, match="whose architecture is not known here: give network="):
        FrozenNetwork.load(tmp_path / "frozen.safetensors")
    again = FrozenNetwork.load(tmp_path / "frozen.safetensors", network)
    assert torch.equal(again.network(images), frozen.network(images))
    with pytest.raises(FrozenRefused, match="There is no file"):
        FrozenNetwork.load(tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes((tmp_path / "frozen.safetensors").read_bytes()[:100])
    with pytest.raises(FrozenRefused, match="cannot be read as safetensors"):
        FrozenNetwork.load(tmp_path / "broken.safetensors")
    safetensors.torch.save_file({"x": torch.ones(1)}, tmp_path / "x.safetensors")
    with pytest.raises(FrozenRefused, match="is not a frozen network"):
        FrozenNetwork.load(tmp_path / "x.safetensors")


@pytest.mark.slow
def test_a_library_network_is_loaded_by_its_name(tmp_path):
    torch.manual_seed(0)
    network = lively(timm.create_model("mobilenetv3_small_050"))
    model = se_viz.Model("timm/mobilenetv3_small_050.lamb_in1k", network, Preprocess((64, 64), 64))
    frozen = freeze(model, {"all": 0.5})
    model.close()
    frozen.save(tmp_path / "frozen.safetensors")
    again = FrozenNetwork.load(tmp_path / "frozen.safetensors")
    assert torch.equal(again.network(noise(2)), frozen.network(noise(2)))


EXPORTED = ("mobilenetv3_small_050", "legacy_seresnet18", "a multiplication", "demo/r16")


@pytest.mark.slow
@pytest.mark.parametrize("name", every(2, EXPORTED))
def test_an_exported_network_equals_the_edit(name, tmp_path):
    side = 128 if name.startswith("demo") else 64
    if name == "demo/r16":
        network = registry.build(name).module
    elif name == "a multiplication":
        network = lively(Small(CASES_OF_FOLDING["X̃ is written over"][0]))
    else:
        network = named_network(name)
    images = noise(2, side)
    values = weights(find_gates(network, side))
    expected = capture(network, images, edits=values).logits
    frozen = freeze(network, values, size=side)
    exported = torch.export.export(frozen.network, (images,))
    assert distance(exported.module()(images), expected) < 1e-5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that the exporter uses
        torch.onnx.export(frozen.network, (images,), tmp_path / "frozen.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "frozen.onnx")
    found = session.run(None, {session.get_inputs()[0].name: images.numpy()})[0]
    assert distance(torch.from_numpy(found), expected) < 1e-5
