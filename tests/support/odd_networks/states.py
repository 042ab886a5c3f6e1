"""Networks that keep or return something unusual, or compute in another precision; the gates in them are plain."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from support.odd_networks.gates import CLASSES, SE, C, Case, Odd, each, fc, tell
from support.odd_networks.inline import Inline


class Lazy(Odd):
    """A network whose first convolution and head get their sizes from the first images."""

    def __init__(self) -> None:
        super().__init__(SE(), Inline())
        self.stem[0], self.head = nn.LazyConv2d(C, 3, stride=2, padding=1), nn.LazyLinear(CLASSES)


class Remembers(nn.Module):
    """A module that keeps a grid of its first maps and multiplies by it from then on."""

    def __init__(self) -> None:
        super().__init__()
        self.grid: Tensor | None = None
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        if self.grid is None or self.grid.shape[2:] != x.shape[2:]:
            self.grid = torch.linspace(0, 1, x.shape[2], device=x.device)[None, None, :, None].expand(
                1, 1, *x.shape[2:]
            )
            self.grid = self.grid * 1.0
        return x * self.grid * self.scale


class KeepsImages(nn.Module):
    """A module that keeps a tensor computed from its first images, and multiplies by it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = x.detach().mean((0, 2, 3), keepdim=True).abs() + 1
        return x * self.kept


class KeepsParameter(nn.Module):
    """A module that makes a parameter at its first run."""

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "weight"):
            self.weight = nn.Parameter(torch.ones(1, x.shape[1], 1, 1))
        return x * self.weight


class Noisy(nn.Module):
    """A module that adds noise, in eval mode too."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * torch.randn_like(x)


class Counts(nn.Module):
    """A module that keeps statistics, in eval mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("runs", torch.zeros(()))
        self.norm = nn.BatchNorm2d(C)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x) + 0 * self.runs


@dataclass
class Output:
    """An output like those of the library transformers, without that library."""

    logits: Tensor
    hidden: tuple[Tensor, ...] = ()


class ModelOutput(OrderedDict):
    """An output like those of the library transformers: an ordered dictionary with attributes."""

    def __getattr__(self, name: str) -> Tensor:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Returns(Odd):
    """A network whose output is a function of its maps (N, C, H, W)."""

    def __init__(self, make: Callable[[Tensor], object]) -> None:
        super().__init__(SE(), Inline())
        self.make = make

    def forward(self, x: Tensor) -> object:
        return self.make(self.body(self.stem(x)))


class Small(nn.Module):
    """FC weights so small that the difference of s between noise images is below the resolution of bf16."""

    def __init__(self, *, inline: bool) -> None:
        super().__init__()
        self.fc, self.inline, self.gate = fc(bias=False, std=0.01 if inline else 0.001), inline, nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        z = x.mean((2, 3))
        y = self.fc(z)
        s = each(torch.sigmoid(y) if self.inline else self.gate(y))
        out = x * s
        tell(x, s, out, z, lax=True)
        return out


class Residual(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.conv, self.bn, self.se = nn.Conv2d(C, C, 3, stride, 1), nn.BatchNorm2d(C), SE()
        self.shortcut = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.se(self.bn(self.conv(x))) + self.shortcut(x)


class Cifar(nn.Module):
    """An SE-ResNet whose last stage has maps of 1 × 1 for images of 32 px, because its stem is made for 224."""

    def __init__(self) -> None:
        super().__init__()
        strides = [
            2 if stage and not block else 1 for stage, blocks in enumerate((3, 4, 6, 3)) for block in range(blocks)
        ]
        self.stem = nn.Sequential(nn.Conv2d(3, C, 7, 2, 3), nn.MaxPool2d(3, 2, 1))
        self.body, self.head = nn.Sequential(*map(Residual, strides)), nn.Linear(C, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x)).mean((2, 3)))


def _half(make: Callable[[], nn.Module], dtype: torch.dtype) -> Callable[[], nn.Module]:
    return lambda: make().to(dtype)


def quantised() -> nn.Module:
    """FC layers converted to int8, dynamically."""
    from torch.ao.quantization import quantize_dynamic

    return quantize_dynamic(Odd(SE(), SE()).eval(), {nn.Linear}, dtype=torch.qint8)


OUTPUTS = {
    "dictionary": lambda maps: {"logits": maps.mean((2, 3)), "maps": maps},
    "dictionary of one": lambda maps: {"out": maps},
    "tuple": lambda maps: (maps.mean((2, 3)), maps),
    "list": lambda maps: [maps, maps[:, :, ::2, ::2]],
    "maps": lambda maps: maps,
    "maps of 1 × 1": lambda maps: maps.mean((2, 3), keepdim=True),
    "dataclass": lambda maps: Output(maps.mean((2, 3)), (maps,)),
    "ModelOutput": lambda maps: ModelOutput(logits=maps.mean((2, 3)), last=maps),
    "one number an image": lambda maps: maps.mean((1, 2, 3)),
    "one number": lambda maps: maps.mean(),
    "nothing": lambda _: None,
    "nested": lambda maps: {"stages": [maps, (maps, maps.mean())], "size": 3},
    "detections": lambda maps: [{"boxes": one.flatten(1)[:, :4], "n": 3} for one in maps],
}

CASES = {
    "noise": Case(lambda: Odd(SE(), Noisy(), Inline()), 2),
    "buffer": Case(lambda: Odd(SE(), Counts(), Inline()), 2),
    "images kept": Case(lambda: Odd(KeepsImages(), SE(), Inline()), 2),
    "grid": Case(lambda: Odd(SE(), Remembers(), Inline()), 2),
}
for _type, _tolerance in ((torch.bfloat16, 2e-2), (torch.float16, 2e-3), (torch.float64, 1e-6)):
    for _inline in (False, True):
        _name = f"small weights, {str(_type)[6:]}{', inline' if _inline else ''}"
        _make = _half(lambda inline=_inline: Odd(Small(inline=inline)), _type)
        CASES[_name] = Case(_make, tolerance=_tolerance)

# Networks that change in their first forward pass.
FIRST = {
    "lazy": Lazy,
    "grid": lambda: Odd(SE(), Remembers(), Inline()),
    "images kept": lambda: Odd(KeepsImages(), SE(), Inline()),
    "parameter made": lambda: Odd(SE(), KeepsParameter(), Inline()),
}
