from itertools import accumulate

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import Host
from support.third_party_gates import SELayer
from torch import nn
from torchvision.models import regnet_y_400mf

from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.gates.find import find_gates
from se_viz.gates.naming import Site, locate_gates
from se_viz.gates.trace import ModuleRun, Trace


def names(network):
    return [gate.name for gate in find_gates(network, 64)]


def demo(**kwargs):
    return SEResNet(SEResNetConfig(r=2, width=4, **kwargs))


def paper(blocks):
    return [f"SE_{stage}_{block}" for stage, count in blocks.items() for block in range(1, count + 1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["legacy_seresnet50", "seresnet50"])
def test_se_resnet_50_is_named_as_in_the_paper(name):
    gates = find_gates(timm.create_model(name), 64)
    assert [gate.name for gate in gates] == paper({2: 3, 3: 4, 4: 6, 5: 3})
    assert [(gate.stage, gate.block) for gate in gates][:4] == [(2, 1), (2, 2), (2, 3), (3, 1)]


def test_a_network_of_which_only_a_late_stage_has_gates():
    assert names(demo(gated_stages=(5,))) == ["SE_5_1", "SE_5_2"]
    assert names(demo(gated_stages=(2, 4))) == ["SE_2_1", "SE_2_2", "SE_4_1", "SE_4_2"]


def test_a_block_without_a_gate_keeps_its_number():
    network = demo()
    network.layer3[0].se = nn.Identity()
    network.layer1[1].se = nn.Identity()
    assert names(network) == ["SE_2_1", "SE_3_1", "SE_3_2", "SE_4_2", "SE_5_1", "SE_5_2"]


@pytest.mark.parametrize("integration", ["pre", "post", "identity"])
def test_a_gate_is_of_the_stage_of_its_block_wherever_it_stands_in_it(integration):
    assert names(demo(integration=integration)) == names(demo())


@pytest.mark.slow
def test_the_size_of_the_images_changes_no_name():
    network = demo()
    for size in (48, 96, 200, (96, 160)):
        assert [gate.name for gate in find_gates(network, size)] == names(network)


@pytest.mark.slow
def test_blocks_named_with_a_dash():
    assert names(regnet_y_400mf(weights=None)) == paper({2: 1, 3: 3, 4: 6, 5: 6})


@pytest.mark.slow
def test_blocks_that_count_over_all_stages_are_counted_in_each():
    assert names(timm.create_model("rexnet_100")) == paper({3: 2, 4: 6, 5: 5})


class Block(nn.Sequential):
    def __init__(self, *, gated=True):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.se = SELayer() if gated else nn.Identity()


def numbered(first, gated):
    stage = nn.Sequential()
    for number, has_gate in enumerate(gated, first):
        stage.add_module(f"block{number}", Block(gated=has_gate))
    return Host(stage)


@pytest.mark.parametrize("first", [0, 1])
def test_blocks_that_count_from_zero_or_from_one(first):
    assert names(numbered(first, [True, False, True])) == ["SE_1_1", "SE_1_3"]
    assert names(numbered(first, [False, True, True])) == ["SE_1_2", "SE_1_3"]


class Stage(nn.Module):
    """Blocks that run by a function of block and maps."""

    def __init__(self, blocks, run):
        super().__init__()
        self.blocks, self.run = blocks, run

    def forward(self, x):
        for block in self.blocks:
            x = self.run(block, x)
        return x


@pytest.mark.parametrize(
    ("block", "run"),
    [
        (Block, lambda block, x: block.forward(x)),
        (Block, lambda block, x: block.se(block.conv(x))),
        (
            lambda **which: nn.ModuleDict(Block(**which).named_children()),
            lambda block, x: block["se"](block["conv"](x)),
        ),
    ],
    ids=["forward", "parts", "ModuleDict"],
)
def test_blocks_whose_parts_run_without_them(block, run):
    assert names(Host(Stage(nn.ModuleList([block(), block(), block()]), run))) == ["SE_1_1", "SE_1_2", "SE_1_3"]
    assert names(Host(Stage(nn.ModuleList([block(gated=False), block(), block()]), run))) == ["SE_1_2", "SE_1_3"]


def test_gates_without_numbered_blocks_are_counted():
    host = Host(nn.Sequential())
    for name in ("a", "b", "c"):
        host.gate.add_module(name, SELayer())
    assert names(host) == ["SE_1_1", "SE_1_2", "SE_1_3"]


def test_two_gates_in_a_block_are_told_apart():
    host = Host(nn.Sequential(Block(), Block()))
    host.gate[0].add_module("another", SELayer())
    assert names(host) == ["SE_1_1", "SE_1_2", "SE_1_3"]


SEGMENTS = st.sampled_from(["features", "layer1", "layer2", "block", "0", "1", "2", "block1-0", "10"])


@pytest.mark.slow
@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    paths=st.lists(st.lists(SEGMENTS, min_size=1, max_size=4).map(".".join), min_size=1, max_size=8, unique=True),
    widths=st.lists(st.sampled_from([112, 56, 28, 14, 7, 1]), min_size=8, max_size=8),
)
def test_no_two_gates_ever_share_a_name(paths, widths):
    widths = sorted(widths, reverse=True)
    steps = []
    for path, width in zip(paths, widths, strict=False):
        shape = torch.Size((2, 8, width, width))
        above = accumulate(path.split("."), "{}.{}".format)
        steps += [ModuleRun(module, nn.Identity(), 0, 0, (), shape, shape) for module in above]
    sites = [
        Site(path, torch.Size((2, 8, width, width)), "nchw", path) for path, width in zip(paths, widths, strict=False)
    ]
    placed = locate_gates(Trace(tuple(steps), 224), sites)
    assert len({place.name for place in placed}) == len(paths)
    assert all(place.block >= 1 and place.stage >= 1 for place in placed)
