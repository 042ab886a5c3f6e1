"""Gates with unusual squeezes. If z is not a squeeze of U with one number per channel, z is None."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from support.odd_networks.gates import C, Case, Odd, awake, each, fc, keep, raw, strong, tell


class Squeezed(nn.Module):
    """A functional squeeze, with a module for the MLP."""

    def __init__(self, squeeze: Callable[[Tensor], Tensor], *, lax: bool = False) -> None:
        super().__init__()
        self.fc, self.squeeze, self.lax = fc(), squeeze, lax

    def forward(self, x: Tensor) -> Tensor:
        z = self.squeeze(x)
        s = each(torch.sigmoid(self.fc(z)))
        out = x * s
        tell(x, s, out, z, lax=self.lax)
        return out


class WeightNorm(nn.Module):
    """Functional squeeze, FC layers without bias whose weights are computed by parametrizations."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = weight_norm(awake(strong(nn.Linear(C, 4, bias=False))))
        self.fc2 = weight_norm(strong(nn.Linear(4, C, bias=False)))
        self.act = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        z = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        s = each(self.act(self.fc2(self.fc1(z).relu())))
        out = x * s
        tell(x, s, out, z, lax=True)
        return out


class RawWeights(nn.Module):
    """Functional squeeze, raw weights, a gate function that is a module."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up, self.act = raw(4, C), raw(C, 4), nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        z = x.mean((2, 3))
        s = each(self.act(functional.linear(functional.linear(z, self.down).relu(), self.up)))
        out = x * s
        tell(x, s, out, z, lax=True)
        return out


class TwoParts(nn.Module):
    """Mean and standard deviation, concatenated (N, 2C), into the MLP."""

    def __init__(self, *, modules: bool) -> None:
        super().__init__()
        self.fc, self.act, self.modules_too = fc(into=2 * C), nn.Sigmoid(), modules

    def forward(self, x: Tensor) -> Tensor:
        z = torch.cat([x.mean((2, 3)), x.std((2, 3))], 1)
        y = self.fc(z)
        s = each(self.act(y) if self.modules_too else torch.sigmoid(y))
        out = x * s
        tell(x, s, out, z, lax=True)
        return out


class Srm(nn.Module):
    """Style-based recalibration: mean and standard deviation, two weights per channel, BatchNorm, sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.cfc, self.bn, self.activation = raw(C, 2), nn.BatchNorm2d(C), nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        mean = x.flatten(2).mean(2, keepdim=True)
        std = (x.flatten(2).var(2, keepdim=True) + 1e-5).sqrt()
        t = torch.cat([mean, std], 2)
        y = (t * self.cfc[None]).sum(2)[:, :, None, None]
        s = self.activation(self.bn(y))
        out = x * s
        both = torch.cat([mean, std], 1).flatten(1)
        tell(x, s, out, (both, t), lax=True)
        return out


class Branches(nn.Module):
    """Two MLPs, on the mean and on the maximum."""

    def __init__(self, *, product: bool) -> None:
        super().__init__()
        self.one, self.other, self.product = fc(), fc(), product

    def forward(self, x: Tensor) -> Tensor:
        mean, peak = functional.adaptive_avg_pool2d(x, 1).flatten(1), functional.adaptive_max_pool2d(x, 1).flatten(1)
        if self.product:
            s = each(torch.sigmoid(self.one(mean)) * torch.sigmoid(self.other(peak)))
        else:
            s = each(torch.sigmoid(self.one(mean) + self.other(peak)))
        out = x * s
        tell(x, s, out, (mean, torch.cat([mean, peak], 1)), lax=True)
        return out


class Context(nn.Module):
    """Global context: a mean weighted by a convolution over the maps."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.fc = nn.Conv2d(C, 1, 1), fc()

    def forward(self, x: Tensor) -> Tensor:
        weights = self.attention(x).flatten(2).softmax(-1)
        z = (x.flatten(2) * weights).sum(-1)
        s = each(torch.sigmoid(self.fc(z)))
        out = x * s
        tell(x, s, out, z, lax=True)
        return out


class Quarters(nn.Module):
    """A squeeze to 2 × 2, so that there is not one number per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.fc = nn.AdaptiveAvgPool2d(2), fc(into=4 * C)

    def forward(self, x: Tensor) -> Tensor:
        s = each(torch.sigmoid(self.fc(self.pool(x).flatten(1))))
        out = x * s
        tell(x, s, out, None)
        return out


class Elsewhere(nn.Module):
    """A gate that squeezes other maps than it scales: those before a convolution, or before a BatchNorm."""

    def __init__(self, step: nn.Module) -> None:
        super().__init__()
        self.step, self.fc = step, fc()

    def forward(self, x: Tensor) -> Tensor:
        z = x.mean((2, 3))
        u = self.step(x)
        s = each(torch.sigmoid(self.fc(z)))
        out = u * s
        tell(u, s, out, None)
        return out


class Overwritten(nn.Module):
    """A gate that squeezes maps, overwrites them, and scales the result."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = fc()

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0
        s = each(torch.sigmoid(self.fc(x.mean((2, 3)))))
        x.sub_(0.1)
        before = keep(x)
        x *= s
        tell(before, s, x, None)
        return x


class Decoy(nn.Module):
    """A squeeze by the maximum; a mean of the same maps is also computed but does not feed s."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.pool = fc(), nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        bias = self.pool(x)
        z = x.amax((2, 3))
        s = each(torch.sigmoid(self.fc(z)))
        out = x * s
        tell(x, s, out, z, lax=True)
        return out + bias


class MeansAlone(nn.Module):
    """A gate without layers: s is a function of z, or z itself."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        z = x.mean((2, 3), keepdim=True)
        s = self.function(z)
        out = x * s
        tell(x, s, out, z, lax=True)
        return out


class Eca(nn.Module):
    """A convolution along the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = strong(nn.Conv1d(1, 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        z = functional.adaptive_avg_pool2d(x, 1)
        s = torch.sigmoid(self.conv(z.squeeze(-1).transpose(-1, -2))).transpose(-1, -2).unsqueeze(-1)
        out = x * s.expand_as(x)
        tell(x, s, out, z)
        return out


def _mean_of_both(x: Tensor) -> Tensor:
    return (x.mean((2, 3)) + x.amax((2, 3))) / 2


NAMED = {
    "mean": lambda x: x.mean((2, 3)),
    "mean(dim=(-1, -2))": lambda x: torch.mean(x, dim=(-1, -2)),
    "mean, keepdim": lambda x: x.mean([2, 3], keepdim=True).flatten(1),
    "adaptive": lambda x: functional.adaptive_avg_pool2d(x, (1, 1)).squeeze(-1).squeeze(-1),
    "avg_pool2d": lambda x: functional.avg_pool2d(x, x.shape[2:]).flatten(1),
    "view and mean": lambda x: x.reshape(*x.shape[:2], -1).mean(-1),
    "mean of means": lambda x: x.mean(3).mean(2),
    "maximum": lambda x: functional.adaptive_max_pool2d(x, 1).flatten(1),
    "amax": lambda x: x.amax((2, 3)),
    "max of view": lambda x: x.flatten(2).max(2).values,
}
UNNAMED = {
    "sum": lambda x: x.sum((2, 3)) / 64,
    "sum / HW": lambda x: x.sum((2, 3)) / x[0, 0].numel(),
    "einsum": lambda x: torch.einsum("nchw->nc", x) / 64,
    "(mean + maximum) / 2": _mean_of_both,
    "deviation": lambda x: x.std((2, 3)),
    "log-sum-exp": lambda x: x.flatten(2).logsumexp(2),
    "GeM": lambda x: x.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3),
    "median": lambda x: x.flatten(2).median(2).values,
    "minimum": lambda x: -functional.adaptive_max_pool2d(-x, 1).flatten(1),
    "mean of squares": lambda x: x.square().mean((2, 3)),
    "norm": lambda x: x.flatten(2).norm(dim=2) / 8,
    "centre": lambda x: x[:, :, x.shape[2] // 2, x.shape[3] // 2],
}

CASES = {
    "weight_norm": Case(lambda: Odd(WeightNorm(), nn.ReLU(), WeightNorm()), 2),
    "raw weights": Case(lambda: Odd(RawWeights())),
    "mean and deviation": Case(lambda: Odd(TwoParts(modules=True))),
    "mean and deviation, functional": Case(lambda: Odd(TwoParts(modules=False))),
    "SRM": Case(lambda: Odd(Srm())),
    "two MLPs": Case(lambda: Odd(Branches(product=False))),
    "two MLPs, multiplied": Case(lambda: Odd(Branches(product=True))),
    "global context": Case(lambda: Odd(Context())),
    "2 × 2": Case(lambda: Odd(Quarters())),
    "of other maps": Case(lambda: Odd(Elsewhere(nn.Conv2d(C, C, 3, padding=1)))),
    "before a BatchNorm": Case(lambda: Odd(Elsewhere(nn.BatchNorm2d(C)))),
    "overwritten": Case(lambda: Odd(Overwritten())),
    "a mean that feeds nothing": Case(lambda: Odd(Decoy())),
    "s = sigmoid(z)": Case(lambda: Odd(MeansAlone(torch.sigmoid))),
    "s = z": Case(lambda: Odd(MeansAlone(lambda z: z)), or_told="without weights"),
    "ECA": Case(lambda: Odd(Eca())),
}
CASES |= {f"z = {name}": Case(lambda f=f: Odd(Squeezed(f))) for name, f in NAMED.items()}
CASES |= {f"z = {name}": Case(lambda f=f: Odd(Squeezed(f, lax=True))) for name, f in UNNAMED.items()}
