"""The block around a gate, on networks with known blocks, and its description."""

import pytest
import timm
import torch
from support.networks import Host
from support.third_party_gates import SELayer
from torch import nn
from torchvision.models import get_model

from se_viz.analysis.gate_placement import describe_placement
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.gates.block import block_of
from se_viz.gates.find import find_gates


def alive(network):
    """Give a network random weights everywhere, also where a library starts with zeros or empty averages."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(std=0.3, generator=generator)
            module.running_mean.normal_(std=0.3, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def look(network, side, name=None):
    gates = find_gates(network, side)
    gate = next(gate for gate in gates if gate.name == name) if name else gates[0]
    return block_of(network, gate, side)


def texts(parts):
    return [part.text for part in parts]


BOTTLENECK = ["1 × 1 convolution", "batch norm", "ReLU", "3 × 3 convolution", "batch norm", "ReLU", "1 × 1 convolution"]


@pytest.mark.parametrize(
    ("integration", "position", "joined", "said"),
    [
        ("standard", 8, 9, "end of the residual branch"),
        ("pre", 0, 9, "SE-PRE"),
        ("post", 9, 8, "SE-POST"),
    ],
)
def test_the_papers_places(integration, position, joined, said):
    block = look(alive(SEResNet(SEResNetConfig(integration=integration))), 128, "SE_4_2")
    assert block.path == "layer3.1"
    assert (block.begins, block.ends) == (True, True)
    assert block.position == position
    assert texts(part for part in block.parts if part.kind != "gate") == [*BOTTLENECK, "batch norm", "ReLU"]
    assert [(join.after, join.parts) for join in block.joins] == [(joined, ())]
    assert said in describe_placement(block)


def test_a_gate_on_the_identity_branch():
    block = look(alive(SEResNet(SEResNetConfig(integration="identity"))), 128, "SE_4_2")
    assert texts(block.parts) == ["SE_4_2", "ReLU"]
    assert texts(block.joins[0].parts) == [*BOTTLENECK, "batch norm"]
    assert "SE-Identity" in describe_placement(block)


def test_a_shortcut_with_its_own_parts():
    block = look(alive(SEResNet()), 128, "SE_4_1")
    assert texts(block.joins[0].parts) == ["average pooling", "1 × 1 convolution", "batch norm"]
    assert "what the other branch makes" in describe_placement(block)
    assert (block.input, block.output) == ((192, 16, 16), (384, 8, 8))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["legacy_seresnet50", "seresnet50"])
def test_the_bottleneck_of_timm(name):
    block = look(alive(timm.create_model(name)), 64, "SE_4_2")
    half = ["convolution", "norm", "activation"]
    assert [part.kind for part in block.parts] == [*half, *half, "convolution", "norm", "gate", "activation"]
    assert block.joins[0].after == 9
    assert "the identity is added (the paper's standard place)" in describe_placement(block)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "gate", "joins", "said"),
    [
        ("mobilenet_v3_small", "SE_4_2", 1, "inside the residual branch, before its last convolution"),
        ("mobilenet_v3_small", "SE_2_1", 0, "inside a block without a shortcut"),
        ("regnet_y_400mf", "SE_4_2", 1, "inside the residual branch, before its last convolution"),
    ],
)
def test_other_blocks(name, gate, joins, said):
    block = look(alive(get_model(name, weights=None)), 224, gate)
    assert (block.begins, block.ends, len(block.joins)) == (True, True, joins)
    assert said in describe_placement(block)


NOT_ALL = "in a block whose branches could not all be followed"
STANDARD = "at the end of the residual branch, before {} is added (the paper's standard place)"
SIDE_BY_SIDE = "after the addition of branches that run side by side, none of them a shortcut"


@pytest.fixture(scope="module")
def built():
    """Networks of timm with random weights, built once."""
    networks = {}

    def build(name):
        if name not in networks:
            networks[name] = alive(timm.create_model(name))
        return networks[name]

    return build


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "gate", "followed", "said"),
    [
        # Its input is scaled in code; with random weights its last convolution and the gate return zeros.
        ("eca_nfnet_l0", "SE_2_1", (True, True), STANDARD.format("what the other branch makes of the block's input")),
        (
            *("eca_nfnet_l0", "SE_3_1", (False, True)),
            f"after a 1 × 1 convolution and before another branch is added, {NOT_ALL}",
        ),
        ("eca_nfnet_l0", "SE_3_2", (False, True), STANDARD.format("the identity")),
        # The identity is added to a sum.
        (
            *("repghostnet_050", "SE_4_5", (True, False)),
            f"after an addition of branches and before a 1 × 1 convolution, {NOT_ALL}",
        ),
        # Sums of three branches, of an input that is normalised alone, and of convolutions side by side.
        ("mobileone_s4", "SE_4_11", (False, True), NOT_ALL),
        ("mobileone_s4", "SE_4_12", (True, True), "after the addition of the branches (the paper's SE-POST)"),
        ("mobileone_s4", "SE_5_1", (True, True), SIDE_BY_SIDE),
    ],
)
def test_no_place_of_the_paper_is_claimed_for_what_was_not_seen(built, name, gate, followed, said):
    block = look(built(name), 64, gate)
    assert (block.begins, block.ends) == followed
    assert describe_placement(block) == said


class Functional(nn.Module):
    """A block that adds and rectifies in code, without modules."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(8, 8, 3, padding=1)
        self.se = SELayer()

    def forward(self, x):
        return torch.relu(self.se(self.convolution(x)) + x)


class Unfollowable(Functional):
    """A block that changes its input without a part for it."""

    def forward(self, x):
        return super().forward(torch.sin(3 * x)) * 0.5


def test_an_addition_in_code_is_seen_and_what_cannot_be_followed_is_said():
    block = look(Host(nn.Sequential(Functional())), 64)
    assert (texts(block.parts), block.joins[0].after, block.ends) == (["3 × 3 convolution", block.gate], 2, True)
    lost = look(Host(nn.Sequential(Unfollowable())), 64)
    assert (lost.begins, lost.ends, lost.joins) == (False, False, ())
    assert "could not all be followed" in describe_placement(lost)


def test_the_network_is_left_as_it_was():
    network = SEResNet().train()
    block_of(network, find_gates(network, 128)[0], 128)
    assert network.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
