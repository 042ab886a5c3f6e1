"""Every family of gates that timm and torchvision have, at random initialisation, against hooks of the test."""

from functools import partial

import numpy as np
import pytest
import timm
import torch
import torchvision
from support.networks import make_images, squeezed
from support.quick import every, exhaustive
from timm.layers.cbam import ChannelAttn
from timm.layers.eca import CecaModule, EcaModule
from timm.layers.global_context import GlobalContext
from timm.layers.squeeze_excite import EffectiveSEModule, SEModule, SqueezeExciteCl
from timm.models._efficientnet_blocks import SqueezeExcite
from timm.models.hgnet import EseModule
from timm.models.senet import SEModule as LegacySEModule
from torch import nn
from torchvision.models.vgg import cfgs, make_layers
from torchvision.ops import SqueezeExcitation

from se_viz.demo.seresnet import SEResNet
from se_viz.gates.errors import NoGateFound
from se_viz.gates.find import find_gates
from se_viz.gates.instrument import Instrument
from se_viz.gates.known_gates import KINDS
from se_viz.gates.se_unit import SEGate
from se_viz.interventions.capture import capture

GATES = (
    SEGate,
    SEModule,
    EffectiveSEModule,
    SqueezeExciteCl,
    EcaModule,
    CecaModule,
    ChannelAttn,
    GlobalContext,
    SqueezeExcite,
    LegacySEModule,
    EseModule,
    SqueezeExcitation,
)


class ChannelsLast(nn.Module):
    """A network with ``SqueezeExciteCl``, which no network of timm uses by default."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 4, stride=4)
        self.blocks = nn.Sequential(SqueezeExciteCl(24), nn.Linear(24, 24), SqueezeExciteCl(24))
        self.head = nn.Linear(24, 5)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x).permute(0, 2, 3, 1)).mean((1, 2)))


def with_attention(name, **kwargs):
    return timm.create_model("resnet18", block_args={"attn_layer": name}, **kwargs)


def of_timm(name, **kwargs):
    return partial(timm.create_model, name, **kwargs)


def of_torchvision(name):
    return partial(torchvision.models.get_model, name, weights=None)


ARCHITECTURES = {
    "demo": SEResNet,
    "legacy_seresnet18": of_timm("legacy_seresnet18"),
    "legacy_seresnet50": of_timm("legacy_seresnet50"),
    "legacy_seresnext50_32x4d": of_timm("legacy_seresnext50_32x4d"),
    "seresnet50": of_timm("seresnet50"),
    "efficientnet_b0": of_timm("efficientnet_b0"),
    "mobilenetv3_small_050": of_timm("mobilenetv3_small_050"),
    "semnasnet_075": of_timm("semnasnet_075"),
    "tinynet_e": of_timm("tinynet_e"),
    "lcnet_050": of_timm("lcnet_050"),
    "mixnet_s": of_timm("mixnet_s"),
    "fbnetv3_b": of_timm("fbnetv3_b"),
    "ghostnet_100": of_timm("ghostnet_100"),
    "ghostnetv2_100": of_timm("ghostnetv2_100"),
    "regnety_002": of_timm("regnety_002"),
    "rexnet_100": of_timm("rexnet_100"),
    "repvit_m1": of_timm("repvit_m1"),
    "tresnet_m": of_timm("tresnet_m"),
    "seresnext26ts": of_timm("seresnext26ts"),
    "cs3sedarknet_l": of_timm("cs3sedarknet_l"),
    "nf_seresnet26": of_timm("nf_seresnet26"),
    "ecaresnet26t": of_timm("ecaresnet26t"),
    "nf_ecaresnet26": of_timm("nf_ecaresnet26"),
    "ese_vovnet19b_dw": of_timm("ese_vovnet19b_dw"),
    "rdnet_tiny": of_timm("rdnet_tiny"),
    "hgnet_tiny": of_timm("hgnet_tiny"),
    "resnet18 + ese": partial(with_attention, "ese"),
    "resnet18 + ceca": partial(with_attention, "ceca"),
    "resnet18 + eca with mlp": partial(with_attention, "ecam"),
    "resnet18 + cbam": partial(with_attention, "cbam"),
    "resnet18 + light cbam": partial(with_attention, "lcbam"),
    "resnet18 + global context": partial(with_attention, "gc"),
    "SqueezeExciteCl": ChannelsLast,
    "torchvision efficientnet_b0": of_torchvision("efficientnet_b0"),
    "torchvision mobilenet_v3_small": of_torchvision("mobilenet_v3_small"),
    "torchvision regnet_y_400mf": of_torchvision("regnet_y_400mf"),
    "torchvision quantizable mobilenet_v3_large": of_torchvision("quantized_mobilenet_v3_large"),
    "torchvision maxvit": lambda: torchvision.models.MaxVit(
        (64, 64), 16, 4, [16, 32], [1, 1], head_dim=8, stochastic_depth_prob=0.0, num_classes=5
    ),
}

# Each has the gates of a smaller network above.
ALIKE = {
    *("legacy_seresnet50", "legacy_seresnext50_32x4d", "seresnet50", "tresnet_m", "cs3sedarknet_l", "regnety_002"),
    *("efficientnet_b0", "semnasnet_075", "mixnet_s", "fbnetv3_b", "rexnet_100", "ghostnetv2_100", "nf_ecaresnet26"),
    *("torchvision efficientnet_b0", "torchvision regnet_y_400mf"),
}

WITHOUT_GATES = {
    "resnet18": of_torchvision("resnet18"),
    "vgg11": lambda: nn.Sequential(make_layers(cfgs["A"], batch_norm=False), nn.Flatten()),
    "densenet121": of_torchvision("densenet121"),
    "squeezenet1_1": of_torchvision("squeezenet1_1"),
    "shufflenet_v2_x0_5": of_torchvision("shufflenet_v2_x0_5"),
    "mnasnet0_5": of_torchvision("mnasnet0_5"),
    "repvgg_a0": of_timm("repvgg_a0"),
    "convnext_atto": of_timm("convnext_atto"),
    "convnextv2_atto, with global response normalisation": of_timm("convnextv2_atto"),
    "poolformer_s12": of_timm("poolformer_s12"),
    "mobilevitv2_050": of_timm("mobilevitv2_050"),
    "edgenext_xx_small, with channel self-attention": of_timm("edgenext_xx_small"),
    "vit_tiny_patch16_224": of_timm("vit_tiny_patch16_224", img_size=64),
    "resnest14d, with split attention": of_timm("resnest14d"),
    "skresnet18, with selective kernels": of_timm("skresnet18"),
    "resnet18 + coordinate attention": partial(with_attention, "coord"),
    "resnet18 + simple coordinate attention": partial(with_attention, "scoord"),
    "resnet18 + local attention": partial(with_attention, "ela"),
    "resnet18 + strip attention": partial(with_attention, "strip"),
    "resnet18 + additive global context": partial(with_attention, "gca"),
}


def awakened(network, images):
    """Return a network whose gates get large values: with random weights many start at zero or shrink their input."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(images)
    return network.eval()


def watch(network, images):
    """Run a network and return U and X̃ of every gate by path, from hooks on the gates."""
    seen, u = {}, {}

    def before(module, args):
        u[module] = args[0].clone()

    def after(path, module, _args, output):
        seen[path] = (u[module].numpy(), output.clone().numpy())

    handles = []
    for path, module in network.named_modules():
        if isinstance(module, GATES):
            handles.append(module.register_forward_pre_hook(before))
            handles.append(module.register_forward_hook(partial(after, path)))
    with torch.inference_mode():
        logits = network.eval()(images).numpy()
    for handle in handles:
        handle.remove()
    return seen, logits


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*every(2, (name for name in ARCHITECTURES if name not in ALIKE)), *exhaustive(*sorted(ALIKE))]
)
def test_gates_of(name):
    images = make_images(2, 64)
    network = awakened(ARCHITECTURES[name](), images)
    expected, logits = watch(network, images)
    gates = find_gates(network, 64)

    assert [gate.path for gate in gates] == list(expected)
    assert len({gate.name for gate in gates}) == len(gates)
    assert len({(gate.stage, gate.block) for gate in gates}) == len(gates)
    assert [gate.stage for gate in gates] == sorted(gate.stage for gate in gates)

    capture_ = capture(Instrument(network, gates), images, [gate.name for gate in gates])
    np.testing.assert_array_equal(capture_.logits, logits)
    assert list(capture_.gates) == [gate.name for gate in gates]
    for gate, gate_capture in zip(gates, capture_, strict=True):
        u, x = expected[gate.path]
        if gate.layout == "nhwc":
            u, x = np.moveaxis(u, -1, 1), np.moveaxis(x, -1, 1)
        assert np.abs(u).max() > 0
        np.testing.assert_array_equal(gate_capture.u, u)
        np.testing.assert_array_equal(gate_capture.x, x)
        assert gate_capture.z.shape == gate_capture.s.shape == (2, gate.channels) == u.shape[:2]
        np.testing.assert_allclose(gate_capture.s[:, :, None, None] * u, x, rtol=1e-6, atol=1e-6 * np.abs(x).max())
        assert np.ptp(gate_capture.s, axis=0).max() > 0
        if gate.squeeze != "other":
            np.testing.assert_allclose(
                gate_capture.z, squeezed(u, gate.squeeze), rtol=1e-5, atol=1e-5 * np.abs(gate_capture.z).max()
            )


# (architecture, class of its last gate, squeeze, gate function, width of the bottleneck)
LAST_GATES = [
    ("demo", SEGate, "avg", "sigmoid", 48),
    ("seresnext26ts", SEModule, "avg", "sigmoid", 32),
    ("mobilenetv3_small_050", SqueezeExcite, "avg", "hard-sigmoid", 72),
    ("legacy_seresnet18", LegacySEModule, "avg", "sigmoid", 32),
    ("hgnet_tiny", EseModule, "avg", "sigmoid", None),
    ("ese_vovnet19b_dw", EffectiveSEModule, "avg", "hard-sigmoid", None),
    ("ecaresnet26t", EcaModule, "avg", "sigmoid", None),
    ("resnet18 + eca with mlp", EcaModule, "avg", "sigmoid", None),
    ("resnet18 + ceca", CecaModule, "avg", "sigmoid", None),
    ("resnet18 + cbam", ChannelAttn, "avg, max", "sigmoid", 32),
    ("resnet18 + light cbam", ChannelAttn, "avg+max", "sigmoid", 32),
    ("SqueezeExciteCl", SqueezeExciteCl, "avg", "sigmoid", 8),
    ("torchvision mobilenet_v3_small", SqueezeExcitation, "avg", "hard-sigmoid", 144),
    ("torchvision quantizable mobilenet_v3_large", SqueezeExcitation, "avg", "hard-sigmoid", 240),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "squeeze", "function", "bottleneck"), LAST_GATES)
def test_what_is_said_of_the_last_gate_of(name, kind, squeeze, function, bottleneck):
    network = ARCHITECTURES[name]()
    gate = find_gates(network, 64)[-1]
    assert isinstance(network.get_submodule(gate.path), kind)
    # Light CBAM applies its sigmoid without a module.
    how = "watch" if "light" in name else "class"
    assert (gate.found_by, gate.squeeze, gate.gate_function, gate.bottleneck) == (how, squeeze, function, bottleneck)
    assert gate.r == (None if bottleneck is None else gate.channels / bottleneck)


def test_all_known_kinds_are_among_them():
    assert {f"{kind.__module__}.{kind.__qualname__}" for _, kind, *_ in LAST_GATES} == set(KINDS)


@pytest.mark.slow
def test_what_is_said_of_a_gate_of_a_class_that_is_not_known():
    gate = find_gates(ARCHITECTURES["resnet18 + global context"](), 64)[-1]
    assert (gate.kind, gate.found_by) == ("GlobalContext", "search")
    assert (gate.squeeze, gate.gate_function, gate.bottleneck) == ("other", "sigmoid", 64)


@pytest.mark.slow
def test_gates_of_a_network_that_starts_at_zero_are_proved_on_maps_that_are_not_zero():
    network = timm.create_model("seresnet50")
    images = make_images(2, 64)
    gates = find_gates(network, 64)
    expected, _ = watch(network, images)
    assert all((u == 0).all() for u, _ in expected.values())
    assert [gate.path for gate in gates] == list(expected)
    assert len(gates) == 16

    for gate_capture in capture(Instrument(awakened(network, images), gates), images, [gate.name for gate in gates]):
        assert np.abs(gate_capture.u).max() > 0
        np.testing.assert_allclose(
            gate_capture.s[:, :, None, None] * gate_capture.u,
            gate_capture.x,
            rtol=1e-6,
            atol=1e-6 * np.abs(gate_capture.x).max(),
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", every(2, WITHOUT_GATES))
def test_no_gate_in(name):
    with pytest.raises(NoGateFound, match="No channel gate found"):
        find_gates(WITHOUT_GATES[name](), 64)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "torchvision mobilenet_v3_small", "SqueezeExciteCl"])
def test_gates_in_other_number_types(name, dtype):
    network = ARCHITECTURES[name]()
    single = find_gates(network, 64)
    assert find_gates(network.to(dtype), 64) == single
    gate_capture = next(iter(capture(Instrument(network, single), make_images(2, 64), [single[0].name])))
    assert gate_capture.z.dtype == gate_capture.s.dtype == gate_capture.u.dtype == gate_capture.x.dtype == np.float32
    step = {torch.float16: 2**-10, torch.bfloat16: 2**-7, torch.float64: 2**-22}[dtype]
    np.testing.assert_allclose(
        gate_capture.s[:, :, None, None] * gate_capture.u,
        gate_capture.x,
        rtol=step,
        atol=step * np.abs(gate_capture.x).max(),
    )


@pytest.mark.slow
def test_no_gate_in_a_half_precision_network_without_any():
    with pytest.raises(NoGateFound):
        find_gates(timm.create_model("convnextv2_atto").bfloat16(), 64)
