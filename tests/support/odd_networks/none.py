"""Multiplications of maps that are not channel gates, each alone in a network."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from support.odd_networks.gates import C, Odd, each, fc, raw


class Times(nn.Module):
    """Maps times a function of them."""

    def __init__(self, factor) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor(x)


class LayerScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = raw(C)

    def forward(self, x: Tensor) -> Tensor:
        return x + each(self.gamma[None]) * x.relu()


class DropPath(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        kept = x.new_empty((len(x), 1, 1, 1)).bernoulli_(0.5)
        return x + x * kept if self.training else x * 1.0


class Grn(nn.Module):
    """ConvNeXt V2's normalisation: the strength of a channel relative to the others."""

    def __init__(self, *, nhwc: bool) -> None:
        super().__init__()
        self.gamma, self.beta, self.nhwc = raw(C), raw(C), nhwc

    def forward(self, x: Tensor) -> Tensor:
        if self.nhwc:
            x = x.permute(0, 2, 3, 1)
            strength = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
            x = self.gamma * (x * (strength / (strength.mean(-1, keepdim=True) + 1e-6))) + self.beta + x
            return x.permute(0, 3, 1, 2)
        strength = torch.norm(x, p=2, dim=(2, 3), keepdim=True)
        normed = strength / (strength.mean(1, keepdim=True) + 1e-6)
        return each(self.gamma[None]) * (x * normed) + each(self.beta[None]) + x


class InstanceNorm(nn.Module):
    """A normalisation written by hand, with a product instead of a division."""

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True)
        return (x - mean) * torch.rsqrt(variance + 1e-5)


class Spatial(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.conv(both)).expand_as(x)


class PerImage(nn.Module):
    def __init__(self, *, wide: bool) -> None:
        super().__init__()
        self.fc, self.wide = nn.Linear(C, 1), wide

    def forward(self, x: Tensor) -> Tensor:
        s = each(torch.sigmoid(3 * self.fc(x.mean((2, 3)))))
        return x * (s.expand(-1, C, -1, -1) if self.wide else s)


class Coordinates(nn.Module):
    """One weight per row and one per column of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean(3, keepdim=True).sigmoid() * x.mean(2, keepdim=True).sigmoid()


class Outer(nn.Module):
    """BAM: a channel attention times a spatial one, both expanded, make one weight for each pixel of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.conv = fc(), nn.Conv2d(C, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        channel = each(self.fc(x.mean((2, 3)))).expand_as(x)
        spatial = self.conv(x).expand_as(x)
        return x * (1 + torch.sigmoid(channel * spatial))


class Split(nn.Module):
    """Split attention: weights of two branches that add up to one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(C, 2 * C, 1), fc(2 * C, into=C)

    def forward(self, x: Tensor) -> Tensor:
        branches = self.conv(x).unflatten(1, (2, C))
        z = branches.sum(1).mean((2, 3))
        weights = self.fc(z).unflatten(1, (2, C)).softmax(1)
        return (branches * weights[..., None, None]).sum(1)


class Frozen(nn.Module):
    """One weight per channel that no image changes."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.mean = fc(), raw(1, C)

    def forward(self, x: Tensor) -> Tensor:
        return x * each(torch.sigmoid(self.fc(self.mean))).expand(len(x), -1, -1, -1)


class Additive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = fc()

    def forward(self, x: Tensor) -> Tensor:
        return x + each(torch.sigmoid(self.fc(x.mean((2, 3)))))


class Vectors(nn.Module):
    """The excitation of a vector: maps of 1 × 1, which a gate does not recalibrate."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = fc()

    def forward(self, x: Tensor) -> Tensor:
        x = functional.adaptive_avg_pool2d(x, 1)
        return x * each(torch.sigmoid(self.fc(x.flatten(1))))


_half = nn.Parameter(torch.tensor(0.5))

NONE = {
    "layer scale": LayerScale,
    "drop path": DropPath,
    "GRN": lambda: Grn(nhwc=False),
    "GRN, NHWC": lambda: Grn(nhwc=True),
    "instance norm": InstanceNorm,
    "spatial": Spatial,
    "one number an image": lambda: PerImage(wide=False),
    "one number an image, expanded": lambda: PerImage(wide=True),
    "rows and columns": Coordinates,
    "outer product": Outer,
    "split": Split,
    "frozen": Frozen,
    "additive": Additive,
    "vectors": Vectors,
    "each pixel": lambda: Times(torch.sigmoid),
    "SiLU": lambda: Times(lambda x: functional.relu6(x + 3) / 6),
    "number": lambda: Times(lambda _: 0.5),
    "learnt number": lambda: Times(lambda _: _half),
    "other rows": lambda: Times(lambda x: torch.linspace(0, 1, x.shape[2])[None, None, :, None]),
}


def network(name: str) -> nn.Module:
    return Odd(NONE[name]())
