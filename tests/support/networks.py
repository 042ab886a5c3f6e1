"""Helpers for several tests of this folder."""

import numpy as np
import torch
from torch import nn

from se_viz.data.preprocess import Preprocess
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.gates.se_unit import SEGate
from se_viz.model.model import Model

HOOK_TABLES = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
FLAG_TABLES = ("_forward_hooks_with_kwargs", "_forward_pre_hooks_with_kwargs", "_forward_hooks_always_called")


def hooks(network):
    """Return how many hooks of any kind are on a network, and check that no hook has left a flag behind."""
    for module in network.modules():
        on = {*module._forward_hooks, *module._forward_pre_hooks}
        assert all(number in on for table in FLAG_TABLES for number in getattr(module, table))
    return sum(len(getattr(module, table)) for module in network.modules() for table in HOOK_TABLES)


def modes(network):
    return {path: module.training for path, module in network.named_modules()}


def make_images(n, side=32, seed=0):
    return torch.randn((n, 3, side, side), generator=torch.Generator().manual_seed(seed))


def noise(count, side=64, dtype=torch.float32, seed=0):
    """Return images of noise (count, 3, side, side)."""
    values = np.random.default_rng(seed).normal(size=(count, 3, side, side)).astype(np.float32)
    return torch.from_numpy(values).to(dtype)


def model(network, side=32):
    return Model("x", network, Preprocess((side, side), side))


def squeezed(u, operator):
    """Return U (N, C, H, W) squeezed by a named operator."""
    mean, peak = u.mean((2, 3)), u.max((2, 3))
    return {"avg": mean, "avg, max": mean, "max": peak, "max, avg": peak, "avg+max": (mean + peak) / 2}[operator]


def demo(**kwargs):
    """Return a small network of the demo architecture."""
    torch.manual_seed(0)
    network = SEResNet(SEResNetConfig(r=2, width=4, bias=True, **kwargs)).eval()
    for module in network.modules():
        if isinstance(module, SEGate):
            # Without training, eight gates in sequence may make the values explode or vanish.
            module.fc2.weight.data.mul_(0.1)
            nn.init.constant_(module.fc2.bias, 0.5)
    return network


class Host(nn.Module):
    """A small classifier around a gate over 8 channels of 16 × 16 maps."""

    def __init__(self, gate):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8))
        self.gate = gate
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.gate(self.stem(x)).mean((2, 3)))


class SE(nn.Module):
    """A gate of eight channels."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.sigmoid = nn.Linear(8, 2), nn.Linear(2, 8), nn.Sigmoid()

    def forward(self, u):
        return u * self.sigmoid(self.b(torch.relu(self.a(u.mean((2, 3))))))[:, :, None, None]


class Named(nn.Module):
    """A network that returns its logits by a name, in a dictionary."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return {"logits": self.body(x)}
