"""The faster network that ``load`` runs on a CPU: what is folded, what is not, and that its values are the same."""

import copy

import numpy as np
import pytest
import timm
import torch
from support.networks import Host, demo, hooks, make_images, model, modes
from support.third_party_gates import SELayer
from timm.layers import BatchNormAct2d, StdConv2d
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm
from torchvision.models import get_model

from se_viz.demo import pretrained as demo_zoo
from se_viz.gates.find import find_gates
from se_viz.gates.instrument import Instrument
from se_viz.interventions.capture import capture
from se_viz.model import fast_copy as fast
from se_viz.model.fast_copy import make_fast_copy
from se_viz.model.fold_batchnorm import Pair, fold_batchnorm, trace_bn_pairs
from se_viz.model.loading import load, load_checkpoint
from se_viz.weights.meta_model import count_params
from se_viz.zoo import registry


def settled(network):
    """Give BatchNorm statistics and weights like those of a trained network."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
    return network.eval()


def pairs(network, *images, besides=()):
    with trace_bn_pairs(network, besides) as seen, torch.inference_mode():
        for image in images or (make_images(2),):
            network(image)
    return seen.pairs()


class Two(nn.Module):
    """A convolution and a BatchNorm, with a function that calls both."""

    def __init__(self, run, convolution=None, norm=None):
        super().__init__()
        self.convolution = convolution or nn.Conv2d(3, 4, 3, bias=False)
        self.norm = norm or nn.BatchNorm2d(4)
        self.run = run

    def forward(self, x):
        return self.run(self.convolution, self.norm, x)


def straight(convolution, norm, x):
    return norm(convolution(x))


def also_elsewhere(convolution, norm, x):
    y = convolution(x)
    return norm(y) + y.mean()


def elsewhere_before(convolution, norm, x):
    y = convolution(x)
    scale = y.amax()
    return norm(y) * scale


def through_a_view(convolution, norm, x):
    y = convolution(x)
    return norm(y) + y[:, :1]


def changed_on_the_way(convolution, norm, x):
    return norm(convolution(x).add_(1))


def rectified_on_the_way(convolution, norm, x):
    return norm(convolution(x).relu())


def convolution_twice(convolution, norm, x):
    return norm(convolution(x)) + convolution(x)


def norm_twice(convolution, norm, x):
    return norm(convolution(x)) + norm(torch.ones(2, 4, 1, 1))


def norm_first(convolution, norm, x):
    return convolution(norm(x))


@pytest.mark.parametrize(
    "run",
    [
        also_elsewhere,
        elsewhere_before,
        through_a_view,
        changed_on_the_way,
        rectified_on_the_way,
        convolution_twice,
        norm_twice,
    ],
)
def test_what_is_used_elsewhere_or_changed_on_the_way_is_not_folded(run):
    assert pairs(settled(Two(run))) == ()


def test_a_norm_in_front_is_not_folded():
    assert pairs(settled(Two(norm_first, norm=nn.BatchNorm2d(3)))) == ()


@pytest.mark.parametrize(
    ("convolution", "norm"),
    [
        (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)),
        (nn.Conv2d(3, 4, 3, bias=False, stride=2, padding=1), nn.BatchNorm2d(4, affine=False)),
        (nn.Conv2d(3, 3, 3, groups=3, dilation=2), nn.BatchNorm2d(3, eps=1e-2)),
        (nn.Conv2d(3, 4, 3, padding="same", padding_mode="reflect"), nn.BatchNorm2d(4)),
        (nn.Conv2d(3, 4, 1), BatchNormAct2d(4, act_layer=nn.SiLU)),
        (nn.Conv2d(3, 4, 1), BatchNormAct2d(4, apply_act=False)),
        (nn.Conv2d(3, 4, 1), BatchNormAct2d(4, drop_layer=nn.Dropout)),
        (timm.layers.Conv2dSame(3, 4, 3, stride=2), nn.BatchNorm2d(4)),
    ],
)
def test_a_folded_pair_computes_the_same(convolution, norm):
    network = settled(Two(straight, convolution, norm))
    assert pairs(network) == (Pair("convolution", "norm"),)
    twin = fold_batchnorm(network, pairs(network))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in twin.modules())
    with torch.inference_mode():
        torch.testing.assert_close(twin(make_images(2)), network(make_images(2)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("convolution", "norm"),
    [
        (StdConv2d(3, 4, 3), nn.BatchNorm2d(4)),
        (weight_norm(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4)),
        (nn.ConvTranspose2d(3, 4, 3), nn.BatchNorm2d(4)),
        (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
        (nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4)),
        (nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4)),
    ],
)
def test_what_is_no_plain_pair_is_not_folded(convolution, norm):
    assert pairs(settled(Two(straight, convolution, norm))) == ()


def test_what_a_stranger_watches_or_has_changed_is_not_folded():
    for part in ("convolution", "norm"):
        network = settled(Two(straight))
        handle = getattr(network, part).register_forward_hook(lambda *_: None)
        assert pairs(network) == ()
        handle.remove()
        assert len(pairs(network)) == 1
        getattr(network, part).forward = lambda x: x[:, :1].repeat(1, 4, 1, 1)
        assert pairs(network) == ()
    network = settled(Two(straight))
    parametrize.register_parametrization(network.norm, "weight", nn.Identity())
    assert pairs(network) == ()
    network = settled(Two(straight))
    network.norm.train()
    assert pairs(network) == ()


def test_a_second_pass_takes_back_what_the_first_has_shown():
    network = settled(Two(straight))
    assert pairs(network, make_images(2), make_images(2)) == ()


def test_the_inside_of_a_gate_is_left_alone():
    network = settled(nn.Sequential(Two(straight), Two(straight, nn.Conv2d(4, 4, 1))))
    assert pairs(network) == (Pair("0.convolution", "0.norm"), Pair("1.convolution", "1.norm"))
    assert pairs(network, besides=["1"]) == (Pair("0.convolution", "0.norm"),)


def test_a_part_of_two_parents_is_folded_in_both():
    network = settled(Two(straight))
    network.again = network.norm
    twin = fold_batchnorm(network, pairs(network))
    assert isinstance(twin.norm, nn.Identity)
    assert twin.again is twin.norm


@pytest.mark.slow
@pytest.mark.parametrize(
    "build",
    [
        demo,
        lambda: demo(integration="pre", squeeze="max"),
        lambda: demo(integration="identity", gate="tanh"),
        lambda: timm.create_model("seresnet18"),
        lambda: timm.create_model("mobilenetv3_small_050"),
        lambda: timm.create_model("mixnet_s"),
        lambda: timm.create_model("ecaresnet26t"),
        lambda: get_model("regnet_y_400mf"),
    ],
)
def test_a_twin_reads_the_same_and_leaves_the_network_alone(build):
    network = settled(build())
    gates = find_gates(network, 64)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    strides = {name: parameter.stride() for name, parameter in network.named_parameters()}
    network.train()
    modes_before = modes(network)
    twin = make_fast_copy(network, gates, (64, 64))
    assert modes(network) == modes_before
    assert hooks(network) == 0
    assert hooks(twin) == 0
    assert not any(modes(twin).values())
    assert {name: parameter.stride() for name, parameter in network.named_parameters()} == strides
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])

    count = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    left = sum(isinstance(module, nn.BatchNorm2d) for module in twin.modules())
    assert left <= count // 2 + 10
    for gate in gates:
        assert type(twin.get_submodule(gate.path)) is type(network.get_submodule(gate.path))
    maps = [gate.name for gate in gates]
    plain = capture(Instrument(network.eval(), gates), make_images(3, 64), maps)
    quick = capture(Instrument(twin, gates), make_images(3, 64), maps)
    np.testing.assert_allclose(quick.logits, plain.logits, rtol=1e-5, atol=1e-5)
    for one, other in zip(quick, plain, strict=True):
        assert one.u.flags.c_contiguous
        for key in ("z", "s", "u", "x"):
            scale = max(1, np.abs(getattr(other, key)).max())
            np.testing.assert_allclose(getattr(one, key), getattr(other, key), rtol=0, atol=1e-5 * scale)


class ReadsItsNorm(Host):
    """A network whose code needs a module that was folded away."""

    def forward(self, x):
        assert self.stem[1].num_features == 8
        return super().forward(x)


def test_there_is_no_twin_where_the_code_needs_what_would_go(monkeypatch):
    host = settled(ReadsItsNorm(SELayer()))
    gates = find_gates(host, 32)
    assert make_fast_copy(host, gates, (32, 32)) is None
    host = settled(Host(SELayer()))
    assert make_fast_copy(host, gates, (32, 32)) is not None
    host.lock = __import__("threading").Lock()  # which cannot be copied
    assert make_fast_copy(host, gates, (32, 32)) is None


def test_there_is_no_twin_that_reads_otherwise(monkeypatch):
    host = settled(Host(SELayer()))
    monkeypatch.setattr(fast, "fold_batchnorm", lambda network, _pairs: settled(copy.deepcopy(network)))
    assert make_fast_copy(host, find_gates(host, 32), (32, 32)) is None


@pytest.mark.slow
def test_load_runs_the_twin_and_shows_the_published_network():
    quick, plain = load("demo/r16", "cpu"), load("demo/r16", "cpu", fast=False)
    assert plain.instrument.network is plain.network
    assert quick.instrument.network is not quick.network
    assert quick.gates == plain.gates
    assert count_params(quick.network) == count_params(plain.network) == demo_zoo.card("r16").params
    for name, tensor in plain.network.state_dict().items():
        assert torch.equal(tensor, quick.network.state_dict()[name])
    images = quick.preprocess.normalise(torch.randint(256, (3, 3, 128, 128), dtype=torch.uint8))
    for one, other in zip(capture(quick, images, "SE_5_2"), capture(plain, images, "SE_5_2"), strict=True):
        np.testing.assert_allclose(one.s, other.s, rtol=0, atol=1e-5)
        np.testing.assert_allclose(one.z, other.z, rtol=1e-5, atol=1e-5)
    with quick.reference() as exact:
        np.testing.assert_array_equal(capture(exact, images).logits, capture(plain, images).logits)
        assert hooks(quick.network) == 16
        assert exact.gates == quick.gates
    assert hooks(quick.network) == 0
    with plain.reference() as exact:
        assert exact is plain
    quick.close()
    assert hooks(quick.instrument.network) == 0


@pytest.mark.slow
def test_a_checkpoint_is_read_by_a_twin_too(tmp_path):
    path = tmp_path / "own.pth"
    torch.save(settled(timm.create_model("mobilenetv3_small_050")).state_dict(), path)
    quick = load_checkpoint(path, "timm/mobilenetv3_small_050", device="cpu", size=64)
    plain = load_checkpoint(path, "timm/mobilenetv3_small_050", device="cpu", size=64, fast=False)
    assert quick.instrument.network is not quick.network
    assert plain.instrument.network is plain.network
    one, other = (capture(loaded, make_images(2, 64)) for loaded in (quick, plain))
    np.testing.assert_allclose(one.logits, other.logits, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "worst"), [("bf16", 0.1), ("fp16", 0.02)])
def test_other_precisions_read_almost_the_same(precision, worst):
    images = make_images(2, 128)
    whole = capture(load("demo/r16", "cpu"), images)
    loaded = load("demo/r16", "cpu", precision)
    assert {parameter.dtype for parameter in loaded.instrument.network.parameters()} == {
        {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    }
    half = capture(loaded, images)
    for one, other in zip(half, whole, strict=True):
        assert one.s.dtype == np.float32
        assert np.abs(one.s - other.s).max() < worst


def test_a_registered_network_is_folded_as_well(register):
    host = settled(Host(SELayer()))
    register("mine", lambda: registry.Network(host, model(host).preprocess, (), "a test's"))
    loaded = load("mine", "cpu")
    assert loaded.network is host
    assert isinstance(loaded.instrument.network.stem[1], nn.Identity)
    assert isinstance(host.stem[1], nn.BatchNorm2d)
