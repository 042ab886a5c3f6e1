"""Gradients through networks that save memory by computing parts twice, against the same networks without it."""

import threading

import numpy as np
import pytest
import torch
from support.networks import SE, make_images
from torch import nn
from torch.utils import checkpoint as torch_checkpoint
from torch.utils.checkpoint import checkpoint

import se_viz
from se_viz.gates.errors import NotReadable
from se_viz.interventions.gradients import without_checkpointing

METHODS = ("integrated gradients", "gradient × change", "exact", "layer-conductance")


class Inline(nn.Module):
    """A block whose own code multiplies by s, so that its gate is watched."""

    def __init__(self, wrap):
        super().__init__()
        self.conv, self.a, self.wrap = nn.Conv2d(8, 8, 1), nn.Linear(8, 8), wrap

    def gate(self, u):
        return u * torch.sigmoid(self.a(u.mean((2, 3))))[:, :, None, None]

    def forward(self, x):
        return torch.relu(x + self.wrap(self.gate, self.conv(x)))


class Block(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.conv, self.se, self.wrap = nn.Conv2d(8, 8, 3, padding=1), SE(), wrap

    def forward(self, x):
        return torch.relu(x + self.wrap(self.se, self.conv(x)))


class Net(nn.Module):
    """A network with a gate in a block, in a block that is wrapped too, and in the code of a block."""

    def __init__(self, wrap):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.ModuleList([Block(wrap), Inline(wrap), Block(lambda part, x: part(x))])
        self.fc, self.wrap = nn.Linear(8, 5), wrap

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = self.wrap(block, x)
        return self.fc(x.mean((2, 3)))


def wrapped(reentrant):
    return lambda part, x: checkpoint(part, x, use_reentrant=reentrant)


def plain(part, x):
    return part(x)


@pytest.fixture
def images():
    return make_images(2, 16)


def attributed(network, images, gate, method):
    baseline = {} if method == "layer-conductance" else {"baseline": 1.0}
    return se_viz.attribute(network, images, gate, 1, method, steps=8, **baseline).values


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # by torch, in passes without gradients
@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_parts_change_no_number(images, reentrant):
    reference, network = Net(plain).eval(), Net(wrapped(reentrant)).eval()
    gates = list(se_viz.capture(reference, images).gates)
    assert list(se_viz.capture(network, images).gates) == gates
    assert len(gates) == 3
    for gate in gates:
        gradients = []
        for one in (reference, network):
            function = se_viz.suffix(one, images, gate)
            s = function.s.clone().requires_grad_()
            gradients += torch.autograd.grad(function(s)[:, 1].sum(), s)
        torch.testing.assert_close(*gradients)
        assert gradients[0].any()
        for method in METHODS:
            if method == "layer-conductance" and gate == gates[1]:
                continue  # which needs a module that returns s
            expected, found = (attributed(one, images, gate, method) for one in (reference, network))
            np.testing.assert_allclose(found, expected, atol=1e-6)
        np.testing.assert_allclose(
            se_viz.cam(network, images, gate, 1).x, se_viz.cam(reference, images, gate, 1).x, atol=1e-6
        )
    constants = {gates[0]: 0.5, gates[2]: 0.7}
    frozen = [se_viz.freeze(one, constants).network(images) for one in (reference, network)]
    torch.testing.assert_close(*frozen)


class Rerun(torch.autograd.Function):
    """Memory saved by code that torch does not know."""

    @staticmethod
    def forward(ctx, part, x):
        ctx.part = part
        ctx.save_for_backward(x)
        with torch.no_grad():
            return part(x)

    @staticmethod
    def backward(_ctx, _gradient):
        raise AttributeError("'Rerun' object has no attribute 'kept'")


@pytest.mark.parametrize("method", ["integrated gradients", "gradient × change", "layer-conductance"])
def test_parts_that_let_no_gradients_through_are_told(images, method):
    network = Net(Rerun.apply).eval()
    first, _, last = se_viz.capture(network, images).gates
    with pytest.raises(NotReadable, match=f'No gradients for {first} .*The method "exact" needs no gradients'):
        attributed(network, images, first, method)
    assert attributed(network, images, first, "exact").any()
    with pytest.raises(NotReadable, match=f"gradient.* {last}.*gradients"):
        se_viz.cam(network, images, last, 1)


def test_checkpointing_of_other_threads_goes_on_and_is_left_as_it_was():
    before = torch_checkpoint.CheckpointFunction.apply, torch_checkpoint._checkpoint_hook
    runs = []

    def part(x):
        runs.append(threading.get_ident())
        return x.sin()

    def train(reentrant):
        x = torch.ones(1, requires_grad=True)
        checkpoint(part, x, use_reentrant=reentrant).backward()

    with without_checkpointing():
        other = threading.Thread(target=lambda: [train(reentrant) for reentrant in (True, False)])
        other.start()
        other.join()
        assert len(runs) == 4
        train(True)
        train(False)
        assert len(runs) == 6
    train(True)
    train(False)
    assert len(runs) == 10
    assert (torch_checkpoint.CheckpointFunction.apply, torch_checkpoint._checkpoint_hook) == before


def into_memory(part, x):
    u = part(x)
    return torch.mul(u, torch.ones(()), out=torch.empty_like(u))


def test_a_network_that_runs_without_gradients_only_is_not_said_to_refuse_the_images(images):
    network = Net(into_memory).eval()
    gate = next(iter(se_viz.capture(network, images).gates))
    with pytest.raises(NotReadable, match=r"No gradients for .*out=.*exact"):
        se_viz.cam(network, images, gate, 1)
