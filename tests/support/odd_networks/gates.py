"""The common parts of the networks in ``odd_*.py``, which report their channel gates while they run.

A network calls ``tell`` where it multiplies. Nothing is kept or computed outside of ``told``, so that the library under
test never runs beside a recording; inside, what is computed for the record is hidden from the library.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

C, CLASSES, SIDE = 8, 5, 32

_events: list["Event"] | None = None
_instead: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One multiplication by a gate: U and X̃ (N, C, H, W), s (N, C), and every correct answer for z.

    ``z`` holds arrays (N, C), or (N, 2C) for the two parts of a squeeze, and None where z may be left out.
    ``rounded``: s is no tensor of the network, but computed from one.
    """

    u: Tensor
    s: Tensor
    x: Tensor
    z: tuple[Tensor | None, ...]
    rounded: bool


def keep(maps: Tensor) -> Tensor | None:
    """Return a copy, for ``tell``, of maps that are about to be overwritten; None if nothing is recorded."""
    if _events is None:
        return None
    with torch._C.DisableTorchFunction():
        return maps.detach().clone()


def given(s: Tensor) -> Tensor:
    """Return the s of the only product in a network's code, or in the shape of s what a test puts in its place."""
    global _instead
    weights, _instead = _instead, None
    return s if weights is None else weights.to(s.dtype).reshape(s.shape)


def with_weights(network: nn.Module, images: Tensor, weights: Tensor) -> Tensor | None:
    """Return logits with weights (N, C) in the place of the ``given`` s; None if the network has no such s."""
    global _instead  # noqa: PLW0603
    _instead = weights
    with torch.no_grad():
        logits = network(images)
    taken, _instead = _instead is None, None
    return logits if taken else None


def tell(
    u: Tensor | None,
    s: Tensor,
    x: Tensor | None,
    z: Tensor | tuple[Tensor | None, ...] | None,
    *,
    lax: bool = False,
    nhwc: bool = False,
    rounded: bool = False,
) -> None:
    """Report that x = s · u here, and that z fed s.

    Args:
        u: maps (N, C, H, W).
        s: factor with N · C numbers.
        x: the product; None if it is formed inside a larger operation.
        z: the squeeze, or all correct ones; None if no squeeze of u feeds s.
        lax: z may be left out.
        nhwc: u and x are (N, H, W, C).
        rounded: s is no tensor of the network, but computed from one, as where maps are divided.
    """
    if _events is None:
        return
    # The network does not make the product that is computed here.
    with torch.no_grad(), torch._C.DisableTorchFunction():
        n = len(u)
        s = s.detach().clone().reshape(n, -1)
        u = u.detach().clone()
        if nhwc:
            u, x = u.movedim(-1, 1), x.movedim(-1, 1)
        x = s[:, :, None, None] * u if x is None else x.detach().clone()
        right = z if isinstance(z, tuple) else (z,)
        right += (None,) if lax else ()
        # z may be anything with N · C numbers in it, or a squeeze by name for a tuple of them.
        right = tuple(None if one is None else one.detach().clone().reshape(n, -1) for one in right)
        _events.append(Event(u, s, x, right, rounded))


@contextmanager
def told() -> Iterator[list[Event]]:
    """Record what networks report inside the block, in all threads."""
    global _events  # noqa: PLW0603
    _events = events = []
    try:
        yield events
    finally:
        _events = None


@dataclass(frozen=True, slots=True)
class Case:
    """A network and the correct results for it.

    Attributes:
        make: the network, in any mode.
        gates: number of gates, one for each run.
        or_told: what the typed error, or where some gates are found the warning, may say instead; empty for nothing.
        tolerance: of s · U against X̃, as a share of the largest.
    """

    make: Callable[[], nn.Module]
    gates: int = 1
    or_told: str = ""
    tolerance: float = 1e-5


def fc(channels: int = C, *, into: int | None = None, bias: bool = True, std: float | None = None) -> nn.Sequential:
    """The two FC layers, strong enough that s differs between images; ``std`` of other weights."""
    layers = nn.Sequential(nn.Linear(into or channels, 4, bias=bias), nn.ReLU(), nn.Linear(4, channels, bias=bias))
    for layer in (layers[0], layers[2]):
        strong(layer)
        if std is not None:
            nn.init.normal_(layer.weight, std=std)
    awake(layers[0])
    return layers


def strong(module: nn.Module, factor: float = 3) -> nn.Module:
    for parameter in module.parameters():
        parameter.data.mul_(factor)
    return module


def awake(layer: nn.Module) -> nn.Module:
    """Make the units of a layer pairs of opposite sign, so that a ReLU after it never sets all of them to zero."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter[1::2] = -parameter[::2]
    return layer


def raw(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape))


def each(values: Tensor) -> Tensor:
    """Return (N, C) as (N, C, 1, 1)."""
    return values[:, :, None, None]


class SE(nn.Module):
    """The most common gate, with replaceable parts and steps."""

    def __init__(self, channels: int = C, gate: nn.Module | None = None, layers: nn.Module | None = None) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = layers if layers is not None else fc(channels)
        self.gate = gate if gate is not None else nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        z = self.pool(x).flatten(1)
        s = each(self.gate(self.fc(z)))
        out = x * s
        tell(x, s, out, z)
        return out


class Odd(nn.Module):
    """A small classifier around a body on maps of C channels; the stem is not a gate and gives maps of both signs."""

    def __init__(self, *body: nn.Module, channels: int = C) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, C, 3, stride=2, padding=1), nn.BatchNorm2d(C))
        nn.init.normal_(self.stem[1].bias)
        self.body = nn.Sequential(*body)
        self.head = nn.Linear(channels, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        return self.body(self.stem(x)).mean((2, 3))


class Function(nn.Module):
    """A block that multiplies in its code: s is a function of the output of the FC layers."""

    def __init__(self, function: Callable[[Tensor], Tensor], multiply: Callable[[Tensor, Tensor], Tensor] = torch.mul):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(C, C, 3, padding=1), fc()
        self.function, self.multiply = function, multiply

    def forward(self, x: Tensor) -> Tensor:
        u = self.conv(x)
        z = functional.adaptive_avg_pool2d(u, 1).flatten(1)
        s = each(self.function(self.fc(z)))
        before = keep(u)
        out = self.multiply(u, s)
        tell(before, s, out, z)
        return functional.relu(out) + x
