"""Gates that are not modules: the code of a block computes s or multiplies by it, in all the ways people write this."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from support.odd_networks.gates import (
    CLASSES,
    SE,
    C,
    Case,
    Function,
    Odd,
    awake,
    each,
    fc,
    given,
    keep,
    raw,
    strong,
    tell,
)


class Cbam(nn.Module):
    """Channel attention from two passes of one MLP, summed before a functional sigmoid; then a spatial part."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp, self.spatial = fc(), nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        mean = functional.avg_pool2d(x, x.shape[2:], stride=x.shape[2:]).flatten(1)
        peak = functional.max_pool2d(x, x.shape[2:], stride=x.shape[2:]).flatten(1)
        scale = each(torch.sigmoid(self.mlp(mean) + self.mlp(peak))).expand_as(x)
        out = x * scale
        tell(x, scale[:, :, 0, 0], out, (mean, (mean + peak) / 2, torch.cat([mean, peak], 1)), lax=True)
        both = torch.cat([out.amax(1, keepdim=True), out.mean(1, keepdim=True)], 1)
        return out * torch.sigmoid(self.spatial(both))


class Inline(nn.Module):
    """EfficientNet's block: the convolutions of the excitation are modules, their use is code."""

    def __init__(self, channels: int = C, wide: int = 2 * C) -> None:
        super().__init__()
        self._expand, self._bn = nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide)
        self._depthwise = nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False)
        self._se_reduce, self._se_expand = awake(strong(nn.Conv2d(wide, 2, 1), 4)), strong(nn.Conv2d(2, wide, 1), 4)
        self._project, self._swish = nn.Conv2d(wide, channels, 1, bias=False), nn.SiLU()

    def forward(self, inputs: Tensor) -> Tensor:
        x = self._swish(self._depthwise(self._swish(self._bn(self._expand(inputs)))))
        x_sq = functional.adaptive_avg_pool2d(x, 1)
        x_sq = self._se_expand(self._swish(self._se_reduce(z := x_sq)))
        u = x
        x = torch.sigmoid(x_sq) * x
        tell(u, torch.sigmoid(x_sq), x, z)
        return self._project(x) + inputs


class Bare(nn.Module):
    """FC layers that are bare parameters, used in one of several ways."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.down, self.up, self.bias = how, raw(4, C), raw(C, 4), raw(C)

    def forward(self, x: Tensor) -> Tensor:
        z = x.mean((2, 3))
        if self.how == "matmul":
            y = (z @ self.down.T).relu() @ self.up.T
        elif self.how == "einsum":
            y = torch.einsum("nk,ck->nc", torch.einsum("nc,kc->nk", z, self.down).relu(), self.up)
        elif self.how == "linear":
            y = functional.linear(functional.relu(functional.linear(z, self.down)), self.up, self.bias)
        elif self.how == "conv":
            y = functional.conv2d(functional.relu(functional.conv2d(each(z), each(self.down))), each(self.up)).flatten(
                1
            )
        elif self.how == "diagonal":
            y = z * self.bias
        s = each(torch.sigmoid(y))
        out = x * s
        tell(x, s, out, z)
        return out


class Sliced(nn.Module):
    """A gate on the first half of the channels only."""

    def __init__(self, *, inplace: bool) -> None:
        super().__init__()
        self.fc, self.inplace = fc(C // 2), inplace

    def forward(self, x: Tensor) -> Tensor:
        half = x[:, : C // 2]
        z = half.mean((2, 3))
        s = each(torch.sigmoid(self.fc(z)))
        before = keep(half)
        if self.inplace:
            x = x + 0
            x[:, : C // 2] *= s
            tell(before, s, x[:, : C // 2], z)
            return x
        out = half * s
        tell(before, s, out, z)
        return torch.cat([out, x[:, C // 2 :]], 1)


class Nhwc(nn.Module):
    def __init__(self, *, first: bool) -> None:
        super().__init__()
        self.fc, self.first = fc(), first

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        z = x.mean((1, 2))
        s = torch.sigmoid(self.fc(z))[:, None, None, :]
        out = s * x if self.first else x.contiguous() * s
        tell(x, s, out, z, nhwc=True)
        return out.permute(0, 3, 1, 2)


class Shuffled(nn.Module):
    """A gate with shuffled channels, of the product, or of s and the maps after z, so that z has another order."""

    def __init__(self, *, before: bool) -> None:
        super().__init__()
        self.fc, self.before = fc(), before

    def forward(self, x: Tensor) -> Tensor:
        def shuffle(maps: Tensor) -> Tensor:
            return maps.unflatten(1, (2, C // 2)).transpose(1, 2).flatten(1, 2)

        z = x.mean((2, 3))
        s = each(torch.sigmoid(self.fc(z)))
        if self.before:
            u, s = shuffle(x), shuffle(s)
            out = u * s
            tell(u, s, out, None)
            return out
        out = x * s
        tell(x, s, out, z)
        return shuffle(out)


class Both(nn.Module):
    """One s for two maps; no squeeze of the second feeds s."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.fc = nn.Conv2d(C, C, 1), nn.Conv2d(C, C, 1), fc()

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.left(x), self.right(x)
        z = left.mean((2, 3))
        s = each(torch.sigmoid(self.fc(z)))
        one = left * s
        tell(left, s, one, z)
        other = s * right
        tell(right, s, other, None)
        return one + other


class Flattened(nn.Module):
    """A gate on maps that do not have four axes: (N, C, HW), or (N, G, C/G, H, W)."""

    def __init__(self, *, groups: bool) -> None:
        super().__init__()
        self.fc, self.groups = fc(), groups

    def forward(self, x: Tensor) -> Tensor:
        z = x.mean((2, 3))
        s = torch.sigmoid(self.fc(z))
        if self.groups:
            out = x.unflatten(1, (2, -1)) * s.unflatten(1, (2, -1))[..., None, None]
        else:
            out = x.flatten(2) * s[:, :, None]
        out = out.reshape(x.shape)
        tell(x, s, out, z, lax=True)
        return out


class Product(nn.Module):
    """A product in an operation that is not called a multiplication."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.fc, self.how = fc(), how

    def forward(self, x: Tensor) -> Tensor:
        z = x.mean((2, 3))
        y = self.fc(z)
        s = torch.sigmoid(y)
        n, c, h, w = x.shape
        if self.how == "einsum":
            out = torch.einsum("nchw,nc->nchw", x, s)
        elif self.how == "division":
            out = x / each(1 + torch.exp(-y))
        elif self.how == "matmul":
            out = (torch.diag_embed(s) @ x.flatten(2)).reshape(x.shape)
        elif self.how == "convolution":
            out = functional.conv2d(x.reshape(1, n * c, h, w), s.reshape(n * c, 1, 1, 1), groups=n * c).reshape(x.shape)
        elif self.how == "loop":
            out = torch.stack([one * weights[:, None, None] for one, weights in zip(x, s, strict=True)])
        tell(x, s, out, z, lax=True, rounded=self.how == "division")
        return out


class InBlock(nn.Module):
    """A gate that runs without its module, so that only its operations are seen."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(C, C, 1), gate

    def forward(self, x: Tensor) -> Tensor:
        return self.gate.forward(self.conv(x)).relu() + x


class OneBesideTwo(Odd):
    def __init__(self) -> None:
        super().__init__(Inline(), SE(), nn.ReLU(), Inline())


class Closure(nn.Module):
    """A whole network in one forward, without any module for the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc1, self.fc2 = (
            nn.Conv2d(3, C, 3, stride=2),
            awake(strong(nn.Linear(C, 4))),
            strong(nn.Linear(4, C)),
        )
        self.head = nn.Linear(C, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv(images)

        def excite(maps: Tensor) -> Tensor:
            z = maps.mean([-2, -1], keepdim=True)
            s = self.fc2(self.fc1(z.flatten(1)).relu()).sigmoid()[..., None, None]
            out = maps.mul(s)
            tell(maps, s, out, z)
            return out

        return self.head(excite(excite(x).relu()).mean((2, 3)))


def _inplace(u: Tensor, s: Tensor) -> Tensor:
    u = u.clone()
    u *= s
    return u


_hard = nn.Hardsigmoid()

# Products in operations that are not called multiplications: they are found, or at least not called absent.
OTHER_PRODUCTS = ("einsum", "division", "matmul", "convolution", "loop")

FUNCTIONS = {
    "sigmoid": torch.sigmoid,
    "clamp(.2y + .5)": lambda y: torch.clamp(0.2 * y + 0.5, 0, 1),
    "relu6(y + 3) / 6": lambda y: functional.relu6(y + 3) / 6,
    "2 sigmoid": lambda y: 2 * torch.sigmoid(y),
    "1 + tanh": lambda y: 1 + torch.tanh(y),
    "sigmoid(y / T)": lambda y: torch.sigmoid(y / 4),
    "softmax": lambda y: torch.softmax(y, 1),
    "C softmax": lambda y: C * y.softmax(-1),
    "exp": lambda y: torch.exp(-y.abs()),
    "elu + 1": lambda y: functional.elu(y) + 1,
    "identity": lambda y: y,
    "softplus": functional.softplus,
    "erf": lambda y: (1 + torch.erf(y)) / 2,
    "1 - sigmoid": lambda y: 1 - torch.sigmoid(y),
    "normalised": lambda y: functional.normalize(y.sigmoid(), dim=1),
    "a module beside": _hard,
}

PRODUCTS = {
    "left": lambda u, s: s * u,
    "expand_as": lambda u, s: u * s.expand_as(u),
    "expand": lambda u, s: s.expand(-1, -1, *u.shape[2:]) * u,
    "broadcast_to": lambda u, s: torch.mul(torch.broadcast_to(s, u.shape), u),
    "in place": _inplace,
    "mul_": lambda u, s: u.clone().mul_(s),
    "multiply": torch.multiply,
    "method multiply": lambda u, s: s.multiply(u),
    "mul(other=)": lambda u, s: torch.mul(input=u, other=s),
    "mul(out=)": lambda u, s: torch.mul(u, s, out=torch.empty(0)) if not torch.is_grad_enabled() else u * s,
    "interpolated": lambda u, s: u * functional.interpolate(s, size=u.shape[2:], mode="nearest"),
    "repeated": lambda u, s: u * s.repeat(1, 1, *u.shape[2:]),
}

ADDED = {
    "x + s x": lambda u, s: u + s * u,
    "addcmul": lambda u, s: torch.addcmul(u.relu(), u, s),
    "addcmul, s first": lambda u, s: torch.addcmul(u.relu(), s, u),
    "method addcmul": lambda u, s: u.relu().addcmul(u, s),
    "addcmul_": lambda u, s: (u + 1).addcmul_(u, s),
}


class Added(Function):
    """A product that is a term of a sum, so that X̃ = s · U may not exist as a tensor."""

    def forward(self, x: Tensor) -> Tensor:
        u = self.conv(x)
        z = functional.adaptive_avg_pool2d(u, 1).flatten(1)
        s = given(each(self.function(self.fc(z))))
        tell(u, s, None, z)
        return self.multiply(u, s)


CASES = {
    "CBAM": Case(lambda: Odd(Cbam())),
    "CBAM twice": Case(lambda: Odd(Cbam(), nn.ReLU(), Cbam()), 2),
    "EfficientNet": Case(lambda: Odd(Inline(), Inline()), 2),
    "one module beside two inline": Case(OneBesideTwo, 3),
    "closure": Case(Closure, 2),
    "NHWC": Case(lambda: Odd(Nhwc(first=False), Nhwc(first=True)), 2),
    "slice": Case(lambda: Odd(Sliced(inplace=False))),
    "slice in place": Case(lambda: Odd(Sliced(inplace=True))),
    "shuffled after": Case(lambda: Odd(Shuffled(before=False))),
    "shuffled between": Case(lambda: Odd(Shuffled(before=True))),
    "one s, two maps": Case(lambda: Odd(Both()), 2),
    "three axes": Case(lambda: Odd(Flattened(groups=False)), or_told="axes|shape|views?|flatten"),
    "five axes": Case(lambda: Odd(Flattened(groups=True)), or_told="axes|shape|views?|groups"),
}
CASES |= {f"s = {name}": Case(lambda f=f: Odd(Function(f))) for name, f in FUNCTIONS.items()}
CASES |= {f"product: {name}": Case(lambda f=f: Odd(Function(torch.sigmoid, f))) for name, f in PRODUCTS.items()}
CASES |= {f"sum: {name}": Case(lambda f=f: Odd(Added(torch.sigmoid, f))) for name, f in ADDED.items()}
CASES |= {
    f"parameters: {how}": Case(lambda how=how: Odd(Bare(how)))
    for how in ("matmul", "einsum", "linear", "conv", "diagonal")
}
CASES |= {f"product: {how}": Case(lambda how=how: Odd(Product(how)), or_told=".") for how in OTHER_PRODUCTS}
CASES |= {
    f"product in a block: {how}": Case(lambda how=how: Odd(InBlock(Product(how))), or_told=".")
    for how in OTHER_PRODUCTS
}
