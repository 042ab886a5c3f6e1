"""The state of a network after a capture, and changes to it between and during captures."""

import numpy as np
import pytest
import torch
from support.networks import Host, demo, hooks, make_images, model, modes
from support.third_party_gates import SELayer
from torch import nn

from se_viz.gates.errors import GatesChanged, NoGateFound, NotAnImageModel, NotReadable
from se_viz.interventions.capture import capture


@pytest.fixture(scope="module")
def held():
    return model(demo(), 64)


def mixed():
    """Return a network in train mode except for one part, half of it frozen, with gradients."""
    network = demo().train()
    network.layer2.eval()
    network.layer3.requires_grad_(False)
    network(make_images(4, 64)).sum().backward()
    return network


def everything(network):
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    gradients = {n: None if p.grad is None else p.grad.clone() for n, p in network.named_parameters()}
    return state, gradients, {n: p.requires_grad for n, p in network.named_parameters()}, modes(network)


def assert_untouched(before, after):
    for one, other in zip(before[:2], after[:2], strict=True):
        assert one.keys() == other.keys()
        for name, tensor in one.items():
            assert (tensor is None) == (other[name] is None)
            assert tensor is None or torch.equal(tensor, other[name])
    assert before[2:] == after[2:]


class Stumbles(nn.Module):
    """A module that fails in the middle of the network on batches of five."""

    def forward(self, x):
        if len(x) == 5:
            raise ValueError("stumbled")
        return x


def test_a_capture_leaves_the_network_as_it_was():
    network = mixed()
    before = everything(network)
    gate_capture = capture(network, make_images(2, 64), ["SE_3_1"])
    assert_untouched(before, everything(network))
    assert hooks(network) == 0
    assert torch.is_grad_enabled()
    network.eval()
    np.testing.assert_array_equal(capture(network, make_images(2, 64)).logits, gate_capture.logits)


def test_a_failing_capture_leaves_the_network_as_it_was():
    network = mixed()
    network.layer3.insert(1, Stumbles())
    capture(network, make_images(2, 64))
    before = everything(network)
    for bad, says in (
        (make_images(5, 64), "stumbled"),
        (make_images(2, 64)[:, :1], "channels"),
        (make_images(0, 64), "N ≥ 1"),
    ):
        with pytest.raises(NotAnImageModel, match=says):
            capture(network, bad, ["SE_3_1"])
        assert_untouched(before, everything(network))
        assert hooks(network) == 0
        assert torch.is_grad_enabled()


def test_a_failing_search_leaves_the_network_as_it_was():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(7, 2)).train()
    before = everything(network)
    with pytest.raises(NotAnImageModel):
        capture(network, make_images(2))
    assert_untouched(before, everything(network))
    assert hooks(network) == 0


def test_no_graph_is_kept_for_images_that_want_gradients(held):
    images = make_images(1, 64).requires_grad_()
    capture(held, images)
    assert images.grad is None
    assert all(parameter.grad is None for parameter in held.network.parameters())


def test_a_network_in_train_mode_is_not_read_while_it_is_held():
    held = model(demo(), 64)
    statistics = held.network.bn1.running_mean.clone()
    held.network.train()
    with pytest.raises(NotReadable, match=r"call eval\(\)"):
        capture(held, make_images(1, 64))
    assert torch.equal(held.network.bn1.running_mean, statistics)
    held.network.eval()
    capture(held, make_images(1, 64))


def test_a_gate_that_is_replaced_between_captures_is_found_again():
    host = Host(SELayer()).eval()
    images = make_images(2)
    capture(host, images)
    host.gate = SELayer(nn.AdaptiveMaxPool2d)
    (read,) = capture(host, images)
    with torch.inference_mode():
        u = host.stem(images)
        s = host.gate.fc(u.amax((2, 3)))
    assert read.gate.squeeze == "max"
    np.testing.assert_allclose(read.s, s.numpy(), rtol=1e-6)


def test_a_gate_that_is_taken_away_is_missed():
    host = Host(nn.Sequential(SELayer(), nn.ReLU(), SELayer())).eval()
    assert len(capture(host, make_images(2)).gates) == 2
    host.gate[2] = nn.Identity()
    assert list(capture(host, make_images(2)).gates) == ["SE_1_1"]
    host.gate[0] = nn.Identity()
    with pytest.raises(NoGateFound):
        capture(host, make_images(2))


def test_a_gate_that_is_replaced_under_a_model_is_an_error():
    held = model(Host(SELayer()))
    held.network.gate = SELayer()
    with pytest.raises(GatesChanged, match="SE_1_1 at gate did not run as it did when it was found"):
        capture(held, make_images(2))


def test_a_capture_inside_a_forward_pass_disturbs_neither():
    outer, inner = Host(SELayer()).eval(), Host(SELayer()).eval()
    images, others = make_images(2), make_images(2, seed=1)
    alone = [capture(outer, images, ["SE_1_1"]), capture(inner, others, ["SE_1_1"])]
    # Fresh ones with the same weights, so that the gates of the inner are found while those of the outer are.
    fresh = [Host(SELayer()).eval(), Host(SELayer()).eval()]
    for new, old in zip(fresh, (outer, inner), strict=True):
        new.load_state_dict(old.state_dict())
    nested = []

    def look(_module, _args, _output):
        nested.append(capture(fresh[1], others, ["SE_1_1"]))

    fresh[0].gate.fc[0].register_forward_hook(look)
    again = capture(fresh[0], images, ["SE_1_1"])
    for one, other in ((again, alone[0]), (nested[-1], alone[1])):
        np.testing.assert_array_equal(one.logits, other.logits)
        for key in ("z", "s", "u", "x"):
            np.testing.assert_array_equal(getattr(one["SE_1_1"], key), getattr(other["SE_1_1"], key))
    assert hooks(fresh[1]) == 0
    assert hooks(fresh[0]) == 1


def test_running_a_held_network_inside_a_capture_of_another_is_not_read(held):
    host = Host(SELayer()).eval()
    logits = []
    host.stem.register_forward_hook(lambda *_: logits.append(held.network(make_images(3, 64))))
    assert list(capture(host, make_images(2)).gates) == ["SE_1_1"]
    assert logits[-1].shape == (3, 10)
