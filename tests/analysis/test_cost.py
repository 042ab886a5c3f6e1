from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import timm
import torch
import torchvision
from support.quick import exhaustive
from torch import nn

from se_viz.analysis.cost import CannotRemove, cost, se_weights, without_gates
from se_viz.demo.paper_networks import PaperCost
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.gates.find import find_gates
from se_viz.gates.insert_gates import CannotInsert, insert_gates
from se_viz.gates.se_unit import SEGate
from se_viz.interventions.capture import capture

RESNET_50 = ((3, 256), (4, 512), (6, 1024), (3, 2048))


@pytest.fixture(scope="module")
def resnet50():
    return torchvision.models.resnet50(weights=None).eval()


@pytest.fixture(scope="module")
def plain_params(resnet50):
    return sum(p.numel() for p in resnet50.parameters())


# Table 10, millions of parameters, and the same without biases, exactly.
@pytest.mark.slow
@pytest.mark.parametrize(("r", "paper"), [(2, 45.7), (16, 28.1), *exhaustive((4, 35.7), (8, 30.7), (32, 26.9))])
def test_table_10_parameters(resnet50, plain_params, r, paper):
    network = insert_gates(resnet50, r=r, size=64)
    params = sum(p.numel() for p in network.parameters())
    assert params - plain_params == se_weights(RESNET_50, r)
    assert params / 1e6 == pytest.approx(paper, rel=0.005)  # its 35.7, 30.7 and 26.9 are 0.1 above its formula


@pytest.mark.slow
def test_what_se_costs_resnet_50_as_section_4_has_it(resnet50, plain_params):
    counted = cost(insert_gates(resnet50, size=64), 64)
    assert [(stage.stage, stage.gates) for stage in counted.stages] == [(2, 3), (3, 4), (4, 6), (5, 3)]
    assert counted.totals()[0] == plain_params
    assert counted.params - plain_params == 2_514_944
    assert counted.totals((2, 3, 4))[0] - plain_params == 942_080
    assert (counted.params - plain_params) / plain_params == pytest.approx(0.10, abs=0.005)
    assert 942_080 / plain_params == pytest.approx(0.04, abs=0.005)


@pytest.mark.slow
def test_the_papers_own_network_has_the_papers_flops():
    counted = cost(timm.create_model("legacy_seresnet50", pretrained=False), 224)
    assert f"{counted.params / 1e6:.1f}" == "28.1"
    assert f"{counted.totals()[0] / 1e6:.1f}" == "25.6"
    assert f"{counted.totals()[1] / 1e9:.2f}" == "3.86"
    assert f"{(counted.macs + counted.elementwise) / 1e9:.2f}" == "3.87"
    _, without = counted.totals()
    assert round(counted.macs / without - 1, 4) == PaperCost().flops_counted_here


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "gates"),
    [
        ("resnet18", 64, 8),
        ("vgg11_bn", 64, 8),
        *exhaustive(("resnext50_32x4d", 64, 16)),
        *exhaustive(("vgg16_bn", 64, 13), ("inception_v3", 299, 11), ("googlenet", 96, 9)),
    ],
)
def test_gates_go_into_any_cnn_and_work(name, size, gates):
    options = {"init_weights": False} if name in {"inception_v3", "googlenet", "vgg11_bn", "vgg16_bn"} else {}
    network = torchvision.models.get_model(name, weights=None, **options).eval()
    before = dict(network.state_dict())
    gated = insert_gates(network, r=8, size=size)
    found = find_gates(gated, size)
    assert len(found) == gates
    assert {gate.r for gate in found} == {8.0}
    assert network.state_dict().keys() == before.keys()
    images = torch.rand(2, 3, size, size)
    gate_capture = capture(gated, images, maps=[found[-1].name])[found[-1].name]
    torch.testing.assert_close(
        torch.from_numpy(gate_capture.x),
        torch.from_numpy(gate_capture.s)[:, :, None, None] * torch.from_numpy(gate_capture.u),
    )
    with torch.inference_mode():
        torch.testing.assert_close(without_gates(gated, found)(images), network(images))


@pytest.mark.slow
def test_only_the_stages_asked_for_get_gates(resnet50):
    assert {gate.stage for gate in find_gates(insert_gates(resnet50, where=(3, 5), size=64))} == {3, 5}
    with pytest.raises(CannotInsert, match="stage 7, only in 2, 3, 4, 5"):
        insert_gates(resnet50, where=(7,), size=64)


@pytest.mark.slow
def test_the_arguments_reach_the_gates(resnet50):
    gate = find_gates(insert_gates(resnet50, 4, "max", "tanh", (5,), size=64))[0]
    assert (gate.squeeze, gate.gate_function, gate.r) == ("max", "tanh", 4.0)
    with pytest.raises(ValueError, match="r must be 1 or more"):
        insert_gates(resnet50, 0)


def test_a_network_with_gates_or_without_places_is_refused():
    with pytest.raises(CannotInsert, match="8 gates already"):
        insert_gates(SEResNet(), size=64)
    flat = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(CannotInsert, match="no known position for a gate"):
        insert_gates(flat, size=64)


def test_counting_leaves_no_hook_and_no_mode_behind():
    network = SEResNet(SEResNetConfig(width=4)).train()
    cost(network, 64)
    assert network.training
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in network.modules())


@pytest.mark.slow
def test_an_activation_on_other_maps_than_the_convolutions_is_no_place():
    # ConvNeXt: convolution, then channels last, a linear layer, GELU.
    with pytest.raises(CannotInsert, match="no known position for a gate"):
        insert_gates(torchvision.models.convnext_tiny(weights=None), size=64)


@pytest.mark.slow
def test_what_other_threads_run_is_not_counted():
    network, other = SEResNet(SEResNetConfig(r=8)).eval(), SEResNet(SEResNetConfig(r=2)).eval()
    alone = cost(network, 64)

    def elsewhere(*_):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(torch.inference_mode()(other), torch.zeros(1, 3, 64, 64)).result()

    gates = [network.get_submodule(gate.path) for gate in find_gates(network, 64)]
    hooks = [gate.register_forward_pre_hook(elsewhere) for gate in gates]
    assert cost(network, 64) == alone
    for hook in hooks:
        hook.remove()


@pytest.mark.slow
def test_a_network_for_grey_images_is_counted_too():
    network = timm.create_model("seresnet18", pretrained=False, in_chans=1).eval()
    counted, colour = cost(network, 64), cost(timm.create_model("seresnet18", pretrained=False), 64)
    assert counted.stages == colour.stages
    assert colour.macs - counted.macs == 2 * 64 * 49 * 32 * 32


def test_a_gate_that_blocks_share_is_counted_once():
    network = SEResNet(SEResNetConfig(width=4)).eval()
    gates = find_gates(network, 64)
    again = replace(gates[0], name="SE_3_9", stage=3, block=9)
    counted, shared = cost(network, 64, gates), cost(network, 64, (*gates, again))
    assert [stage.gates for stage in shared.stages] == [2, 3, 2, 2]
    assert sum(stage.params for stage in shared.stages) == sum(stage.params for stage in counted.stages)
    assert shared.totals() == counted.totals()


def test_the_scale_counts_all_of_u_however_u_is_given():
    class Keyword(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.gate = nn.Conv2d(3, 8, 3), SEGate(8, 2)

        def forward(self, x):
            return self.gate(u=self.convolution(x)) if self.by_name else self.gate(self.convolution(x))

    network = Keyword().eval()
    network.by_name = False
    gates = find_gates(network, 32)
    by_place = cost(network, 32, gates)
    network.by_name = True
    assert by_place == cost(network, 32, gates)
    assert by_place.elementwise == 2 * 8 * 30 * 30


def test_gates_that_are_no_module_are_counted_by_the_parameters_that_make_s():
    """The same excitation, in separate modules and in the code of the block."""

    class Inline(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.fc1, self.fc2 = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 2), nn.Linear(2, 8)
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            x = self.stem(x)
            s = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3))))))
            return self.head((x * s[:, :, None, None]).mean((2, 3)))

    network = Inline()
    (gate,) = find_gates(network, 32)
    counted = cost(network, 32, (gate,))
    (stage,) = counted.stages
    assert (gate.found_by, stage.gates, stage.params, stage.macs) == ("watch", 1, 8 * 2 + 2 + 2 * 8 + 8, 2 * 8 * 2)
    assert stage.elementwise == 2 * 8 * 32 * 32
    assert counted.macs == 3 * 8 * 9 * 32 * 32 + 2 * 8 * 2 + 8 * 5
    with pytest.raises(CannotRemove, match="SE_0_1 cannot be measured"):
        without_gates(network, (gate,))
