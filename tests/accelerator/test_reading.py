"""What is read, counted and trained on a device is what it is on the CPU, bit for bit."""

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import accel
import numpy as np
import pytest
import timm
import torch
import torchvision
from support.networks import make_images
from support.networks import model as wrapped
from support.quick import exhaustive
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torchvision.ops import SqueezeExcitation

from se_viz.analysis.cost import cost, without_gates
from se_viz.analysis.demo_responses import measure as responses
from se_viz.analysis.latency import median_latency_ms
from se_viz.analysis.walk import walk
from se_viz.data.imagenette import Labelled
from se_viz.data.sample_images import sample
from se_viz.demo import pretrained as demo
from se_viz.demo.evaluate import count_correct, count_macs
from se_viz.demo.recipe import PREPROCESS, Recipe
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.demo.training import train
from se_viz.device.transfer import moved
from se_viz.gates.block import block_of
from se_viz.gates.find import find_gates
from se_viz.gates.insert_gates import insert_gates
from se_viz.interventions.capture import capture
from se_viz.interventions.freeze import freeze
from se_viz.model.loading import load, load_checkpoint

ACCEL, CPU = torch.device("accel:0"), torch.device("cpu")
RECIPE = Recipe(epochs=2, batch=12, sizes=((32, 1.0),), augment=False)


def labelled(count, side=128):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 3, side, side), dtype=np.uint8)
    return Labelled(pixels, rng.integers(0, 10, count), tuple(map(str, range(count))))


@pytest.fixture(scope="module")
def both():
    """A function that gives the demo model on the device and on the CPU, there not its faster copy, which rounds
    otherwise. No test here changes them, and to find the gates on this device takes half a second.
    """

    @cache
    def models(precision="fp32"):
        return load("demo/r16", "accel", precision), load("demo/r16", "cpu", precision, fast=False)

    yield models
    models.cache_clear()


def test_what_needs_double_precision_is_computed_on_the_cpu(both):
    there, here = (walk(model, sample("cat"), "SE_4_2", 3) for model in both())
    np.testing.assert_array_equal(there.x_tilde, here.x_tilde)
    assert [one.text for one in there.values.before] == [one.text for one in here.values.before]
    there, here = (freeze(model, {"SE_3_1": 0.5}).network.state_dict() for model in both())
    assert there.keys() == here.keys()
    assert all(torch.equal(there[name].cpu(), here[name]) for name in here)


def assert_same(one, other):
    if other.logits is not None:
        np.testing.assert_array_equal(one.logits, other.logits)
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for key in ("z", "s", "u", "x"):
            np.testing.assert_array_equal(getattr(a, key), getattr(b, key))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_reading_is_the_cpus(both, precision):
    there, here = both(precision)
    assert there.precision == precision
    assert_same(
        capture(there, make_images(3, 64), ["SE_2_1", "SE_5_2"]),
        capture(here, make_images(3, 64), ["SE_2_1", "SE_5_2"]),
    )


class Inline(nn.Module):
    """Its gate is code, and so is watched; one module gate stands beside it."""

    def __init__(self):
        super().__init__()
        self.stem, self.fc1, self.fc2 = nn.Conv2d(3, 8, 3, 2), nn.Linear(8, 4), nn.Linear(4, 8)
        self.gate, self.head = SqueezeExcitation(8, 4), nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        x = x * torch.sigmoid(self.fc2(self.fc1(x.mean((2, 3))).relu()))[:, :, None, None]
        return {"logits": self.head(self.gate(x).mean((2, 3))), "maps": x}


def test_multiplications_are_watched_there_too():
    torch.manual_seed(0)
    here = Inline().eval()
    there = copy.deepcopy(here).to(ACCEL)
    names = ["SE_1_1", "SE_1_2"]
    one, other = capture(there, make_images(3, 32), names), capture(here, make_images(3, 32), names)
    assert [read.gate.found_by for read in one] == ["watch", "class"]
    assert_same(one, other)
    assert one.output["logits"].device == CPU
    assert torch.equal(one.output["logits"], other.output["logits"])
    assert cost(there, 32).stages == cost(here, 32).stages


@pytest.mark.parametrize(
    ("make", "side"),
    [
        (lambda: timm.create_model("legacy_seresnet18"), 64),
        (lambda: timm.create_model("test_efficientnet"), 64),
        (lambda: timm.create_model("test_nfnet"), 64),
        (torchvision.models.mobilenet_v3_small, 64),
        *exhaustive((torchvision.models.regnet_y_400mf, 64)),
    ],
)
def test_networks_of_the_libraries_too(make, side):
    network = make().eval()
    expected = capture(network, make_images(2, side))
    gates = find_gates(network, side)
    network = moved(network, ACCEL, "network")
    assert find_gates(network, side) == gates
    last = gates[-1].name
    assert_same(replaced(capture(network, make_images(2, side), [last])), expected)


def replaced(captured):
    """Without maps, of which the other has none."""
    return replace(captured, gates={r.gate.name: replace(r, u=None, x=None) for r in captured})


def test_images_may_lie_anywhere(both):
    there, here = both()
    expected = capture(here, make_images(2, 64))
    for device in ("cpu", "accel:0", "accel:1"):
        assert_same(capture(there, make_images(2, 64).to(device)), expected)
        assert_same(capture(here, make_images(2, 64).to(device)), expected)


def test_all_descriptors_come_in_one_transfer(both):
    there, _ = both()
    accel.fetched.clear()
    captured = capture(there, make_images(3, 64))
    assert accel.fetched == [(captured.logits.size + sum(r.z.size + r.s.size for r in captured),)]
    accel.fetched.clear()
    u = capture(there, make_images(3, 64), ["SE_5_2"])["SE_5_2"].u
    assert accel.fetched[1:] == [u.shape, u.shape]


def test_threads_that_share_it_read_their_own_images(both):
    there, here = both()
    batches = [make_images(2, 64, seed=seed) for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        for found, images in zip(pool.map(lambda images: capture(there, images), batches), batches, strict=True):
            assert_same(found, capture(here, images))


def test_pixels_are_prepared_there():
    pixels = torch.randint(256, (2, 3, 128, 128), dtype=torch.uint8)
    found = PREPROCESS.normalise(pixels.to(ACCEL))
    assert found.device == ACCEL
    assert torch.equal(found.cpu(), PREPROCESS.normalise(pixels))


def test_a_users_checkpoint_is_loaded_to_it(tmp_path):
    torch.manual_seed(1)
    torch.save(timm.create_model("test_efficientnet", num_classes=3).state_dict(), tmp_path / "own.pth")
    models = [
        load_checkpoint(str(tmp_path / "own.pth"), "timm/test_efficientnet", device=device, fast=False)
        for device in ("auto", "cpu")
    ]
    assert [model.device for model in models] == [ACCEL, CPU]
    assert_same(*(capture(model, make_images(2, 160)) for model in models))


def test_blocks_and_costs_are_the_cpus(both):
    there, here = both()
    for gate in here.gates:
        assert block_of(there.network, gate, 128) == block_of(here.network, gate, 128)
    assert cost(there.network, 128, there.gates) == cost(here.network, 128, here.gates)
    assert count_macs(there.network, (128, 128)) == count_macs(here.network, (128, 128))
    assert median_latency_ms(without_gates(there.network, there.gates), 32, 0.01) > 0


def test_gates_are_put_into_a_network_where_it_lies():
    plain = torchvision.models.resnet18().to(ACCEL)
    gated = insert_gates(plain, size=64)
    assert {parameter.device for parameter in gated.parameters()} == {ACCEL}
    captured = capture(wrapped(gated, 64), make_images(2, 64))
    assert_same(captured, capture(gated.cpu(), make_images(2, 64)))


def test_right_answers_are_counted_there(both):
    there, here = both()
    data = labelled(9)
    predicted = capture(here, PREPROCESS.normalise(torch.from_numpy(data.pixels))).logits.argmax(1)
    data.labels[:5] = predicted[:5]
    data.labels[5:] = (predicted[5:] + 1) % 10
    assert count_correct(there.network, data, PREPROCESS, batch=4) == 5


def test_responses_are_the_cpus():
    family = [(demo.card(name), demo.folder()) for name in ("r16", "r32")]
    assert responses(family, labelled(4), ACCEL) == responses(family, labelled(4), CPU)


def test_a_training_that_was_cut_off_there_ends_as_if_it_had_not_been(tmp_path):
    def run(path, evaluate=lambda _network: 0.5):
        return train(
            SEResNetConfig(width=4),
            labelled(24, 48),
            recipe=RECIPE,
            seed=0,
            checkpoint=path,
            device=ACCEL,
            evaluate=evaluate,
        )

    whole = run(tmp_path / "whole.pt")

    steps = iter(range(100))

    def cut(module, _args):
        if isinstance(module, SEResNet) and next(steps) == 3:  # in the second epoch
            raise KeyboardInterrupt

    with register_module_forward_pre_hook(cut), pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut.pt")
    assert next(steps) == 4
    resumed = run(tmp_path / "cut.pt")
    assert [entry["loss"] for entry in resumed.log] == [entry["loss"] for entry in whole.log]
    for one, other in zip(whole.network.state_dict().values(), resumed.network.state_dict().values(), strict=True):
        assert one.device == ACCEL
        assert torch.equal(one, other)
    assert demo.store(whole.network) == demo.store(resumed.network)
