"""Gates whose s comes from unusual functions of the squeeze, or whose squeeze is of a part of U or of other maps."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from support.odd_networks.calls import Beside
from support.odd_networks.gates import C, Case, each, fc, given, tell

Z: TypeAlias = Tensor | tuple[Tensor, ...] | None


def mean(maps: Tensor) -> Tensor:
    return maps.mean((2, 3))


class From(nn.Module):
    """A gate whose s (N, C) and z are a function of this module, u and x."""

    def __init__(self, function: Callable[["From", Tensor, Tensor], tuple[Tensor, Z]], *, lax: bool) -> None:
        super().__init__()
        self.function, self.lax = function, lax
        self.conv, self.other, self.fc, self.second = nn.Conv2d(C, C, 1), nn.Conv2d(C, C, 3, padding=1), fc(), fc()
        self.score, self.query, self.table = nn.Linear(C, 5), nn.Conv2d(C, 1, 1), nn.Embedding(5, C)
        self.text, self.words = nn.Parameter(torch.randn(6)), nn.Linear(6, C)

    def forward(self, x: Tensor) -> Tensor:
        u = self.conv(x)
        s, z = self.function(self, u, x)
        s = given(s)
        out = u * each(s)
        tell(u, s, out, z, lax=self.lax)
        return out + x


def _no_grad(m: From, u: Tensor, _x: Tensor) -> tuple[Tensor, Z]:
    with torch.no_grad():
        z = mean(u)
        return torch.sigmoid(m.fc(z)), z


def _attention(m: From, u: Tensor) -> Tensor:
    return (u * m.query(u).flatten(2).softmax(2).view(-1, 1, *u.shape[2:])).sum((2, 3))


def _straight(p: Tensor) -> Tensor:
    return (p > 0.5).float() - p.detach() + p


def _listed(s: Tensor) -> Tensor:
    return s if s.requires_grad else torch.tensor(s.tolist())


def _channels_first(m: From, u: Tensor, _x: Tensor) -> tuple[Tensor, Z]:
    z = u.transpose(0, 1).mean((2, 3))
    return torch.sigmoid(m.fc(z.T)), z.T


def _gram(m: From, u: Tensor, _x: Tensor) -> tuple[Tensor, Z]:
    z = mean(u)
    return torch.sigmoid(z * (z @ z.T).softmax(-1).sum(-1, keepdim=True) * 5), z


# Functions of z, which is the mean of u.
OF_Z: dict[str, Callable[[From, Tensor], Tensor]] = {
    "where": lambda m, z: torch.where(m.fc(z) > 0, 1.0, 0.5),
    "rounded": lambda m, z: torch.round(torch.sigmoid(m.fc(z)) * 4) / 4,
    "comparison": lambda m, z: (m.fc(z) > 0).float(),
    "table": lambda m, z: torch.linspace(0, 1, 8)[(torch.sigmoid(m.fc(z)) * 8).long().clamp(0, 7)],
    "bucketize": lambda m, z: torch.bucketize(m.fc(z), torch.tensor([-1.0, 0, 1])).float() / 3,
    "embedding": lambda m, z: torch.sigmoid(m.table(m.score(z).argmax(1))),
    "straight through": lambda m, z: _straight(torch.sigmoid(m.fc(z))),
    "detached": lambda m, z: torch.sigmoid(m.fc(z.detach())),
    "times a text": lambda m, z: torch.sigmoid(m.fc(z * m.words(m.text))),
    "plus a text": lambda m, z: torch.sigmoid(m.fc(z) + m.words(m.text)),
    "sorted": lambda m, z: torch.sigmoid(m.fc(z)).sort(1).values,
    "cumprod": lambda m, z: torch.sigmoid(m.fc(z)).cumprod(1),
    "vmap": lambda m, z: torch.vmap(lambda one: torch.sigmoid(m.fc(one)))(z),
    "one image after the other": lambda m, z: torch.stack([torch.sigmoid(m.fc(one)) for one in z]),
    "a list": lambda m, z: _listed(torch.sigmoid(m.fc(z))),
}
# Reductions of u.
SQUEEZES: dict[str, Callable[[From, Tensor], Tensor]] = {
    "rows": lambda _m, u: mean(u[:, :, :4]),
    "every other pixel": lambda _m, u: mean(u[:, :, ::2, ::2]),
    "of a pooling": lambda _m, u: mean(functional.max_pool2d(u, 2)),
    "of a strided pooling": lambda _m, u: functional.avg_pool2d(u, 3, 4).amax((2, 3)),
    "largest five": lambda _m, u: u.flatten(2).topk(5, 2).values.mean(2),
    "quantile": lambda _m, u: torch.quantile(u.flatten(2), 0.7, 2),
    "attention": _attention,
    "attention, einsum": lambda m, u: torch.einsum("ncp,np->nc", u.flatten(2), m.query(u).flatten(1).softmax(1)),
    "Fourier": lambda _m, u: torch.fft.rfft2(u)[:, :, 0, 0].real / u[0, 0].numel(),
    "cosine": lambda _m, u: mean(u * torch.cos(torch.arange(u.shape[-1]) * 0.3)),
    "interpolated": lambda _m, u: functional.interpolate(u, size=1, mode="area").flatten(1),
    "(NC)HW": lambda _m, u: u.flatten(0, 1).mean((1, 2)).view(len(u), -1),
    "vmap": lambda _m, u: torch.vmap(lambda one: one.mean((1, 2)))(u),
}
# Other maps, whose mean is no z.
OTHERS: dict[str, Callable[[From, Tensor, Tensor], Tensor]] = {
    "another branch": lambda m, _u, x: m.other(x),
    "the input": lambda _m, _u, x: x,
    "u + another branch": lambda m, u, x: u + m.other(x),
    "u · another branch": lambda m, u, x: u * m.other(x),
    "half u, half another branch": lambda m, u, x: torch.cat([u, m.other(x)], 1)[:, 4:12],
}

CASES = {
    name: Case(lambda f=f: Beside(From(lambda m, u, _x: (f(m, z := mean(u)), z), lax=True)), 2)
    for name, f in OF_Z.items()
}
CASES |= {
    f"squeeze: {name}": Case(
        lambda f=f: Beside(From(lambda m, u, _x: (torch.sigmoid(m.fc(z := f(m, u))), z), lax=True)), 2
    )
    for name, f in SQUEEZES.items()
}
CASES |= {
    f"squeeze of {name}": Case(
        lambda f=f: Beside(From(lambda m, u, x: (torch.sigmoid(m.fc(mean(f(m, u, x)))), None), lax=False)), 2
    )
    for name, f in OTHERS.items()
}
CASES |= {
    "no_grad": Case(lambda: Beside(From(_no_grad, lax=False)), 2),
    "channels first": Case(lambda: Beside(From(_channels_first, lax=True)), 2),
    "similar images": Case(lambda: Beside(From(_gram, lax=True)), 2),
    "two squeezes": Case(
        lambda: Beside(From(lambda m, u, x: (torch.sigmoid(m.fc(mean(u) + mean(x))), None), lax=False)), 2
    ),
}
