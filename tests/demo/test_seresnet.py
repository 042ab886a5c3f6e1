import itertools

import pytest
import torch

from se_viz.demo.evaluate import count_macs
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.gates.find import find_gates
from se_viz.weights.meta_model import count_params

PLAIN = count_params(SEResNet(SEResNetConfig(r=None)))


@pytest.mark.parametrize(("r", "percent"), [(2, 79), (4, 40), (8, 20), (16, 10), (32, 5)])
def test_gates_weigh_as_the_papers_do(r, percent):
    """Section 4 of the paper: SE adds (2/r) Σ N_s C_s² weights; on ResNet-50 that is 10% at r = 16 (Table 10)."""
    added = count_params(SEResNet(SEResNetConfig(r=r))) - PLAIN
    formula = sum(2 * 2 * channels * (channels // r) for channels in (96, 192, 384, 768))
    assert added == formula
    assert added / PLAIN * 100 == pytest.approx(percent, abs=1)


def test_gates_cost_next_to_no_computation():
    with_se, without = (count_macs(SEResNet(SEResNetConfig(r=r)), (128, 128)) for r in (16, None))
    assert 1 < with_se / without < 1.005


@pytest.mark.slow
def test_gates_have_the_papers_names_and_widths():
    gates = find_gates(SEResNet(), 128)
    assert [gate.name for gate in gates] == [f"SE_{stage}_{block}" for stage in (2, 3, 4, 5) for block in (1, 2)]
    assert [gate.channels for gate in gates] == [96, 96, 192, 192, 384, 384, 768, 768]
    assert {gate.r for gate in gates} == {16}


@pytest.mark.parametrize(
    ("integration", "gate", "squeeze"),
    list(itertools.product(("standard", "pre", "post", "identity"), ("sigmoid", "relu", "tanh"), ("avg", "max"))),
)
def test_every_variant_trains(integration, gate, squeeze):
    torch.manual_seed(0)
    network = SEResNet(SEResNetConfig(integration=integration, gate=gate, squeeze=squeeze, width=8, r=2))
    network(torch.randn(4, 3, 64, 64)).square().mean().backward()
    gradients = {name: p.grad.abs().sum().item() for name, p in network.named_parameters() if ".se." in name}
    assert len(gradients) == 16
    assert all(value > 0 for value in gradients.values())


@pytest.mark.parametrize("stages", [(2,), (5,), (2, 3, 4), ()])
def test_only_the_chosen_stages_are_gated(stages):
    network = SEResNet(SEResNetConfig(gated_stages=stages))
    if stages:
        assert [gate.stage for gate in find_gates(network, 128)] == [stage for stage in stages for _ in (1, 2)]
    else:
        assert count_params(network) == PLAIN


def test_biases_are_off_unless_asked_for():
    assert not any(name.endswith("fc1.bias") for name, _ in SEResNet().named_parameters())
    assert sum(name.endswith("fc1.bias") for name, _ in SEResNet(SEResNetConfig(bias=True)).named_parameters()) == 8


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"r": 0}, "r must be 1 or more"),
        ({"squeeze": "median"}, "squeeze must be one of avg, max, not 'median'"),
        ({"gate": "softmax"}, "gate must be one of sigmoid"),
        ({"integration": "nowhere"}, "integration must be one of standard"),
        ({"gated_stages": (1, 2)}, "gated_stages must be among"),
        ({"width": 0}, "width"),
    ],
)
def test_wrong_arguments_are_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        SEResNetConfig(**wrong)
