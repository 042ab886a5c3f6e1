"""Gates that multiply by unusual calls, or unusual views of the maps, each beside a gate that is a module."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from support.odd_networks.gates import SE, C, Case, Odd, each, fc, given, keep, tell

Product = Callable[[Tensor, Tensor, Tensor], Tensor]


class Beside(Odd):
    """A network that states a small size, so that a search is quick; it ends in a gate that is a module."""

    pretrained_cfg = {"input_size": (3, 32, 32)}  # noqa: RUF012 - never changed

    def __init__(self, gate: nn.Module) -> None:
        super().__init__(gate, SE())


class Excites(nn.Module):
    """A base class that computes u from x, and s from u."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(C, C, 1), fc()

    def excite(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        u = self.conv(x)
        z = u.mean((2, 3))
        return u, each(torch.sigmoid(self.fc(z))), z


class Times(Excites):
    """A gate that multiplies in a given way; ``u`` and ``s`` say what of the maps and the factor is multiplied."""

    def __init__(self, way: Product, u=None, s=None, *, lax: bool = False) -> None:
        super().__init__()
        self.way, self.of_u, self.of_s, self.lax = way, u, s, lax

    def forward(self, x: Tensor) -> Tensor:
        u, s, z = self.excite(x)
        s, before = given(s), keep(u)
        out = self.way(u, s, x)
        if before is not None:
            with torch._C.DisableTorchFunction():
                scaled, factor = self.of_u(before) if self.of_u else before, self.of_s(s) if self.of_s else s
            tell(scaled, factor, None, z, lax=self.lax or bool(self.of_u))
        return out


def in_place(change: Callable[[Tensor, Tensor], object]) -> Product:
    def way(u: Tensor, s: Tensor, _x: Tensor) -> Tensor:
        u = u.clone()
        change(u, s)
        return u

    return way


def grouped(convolve: Callable[..., Tensor], *, bias: bool = False) -> Product:
    def way(u: Tensor, s: Tensor, _x: Tensor) -> Tensor:
        maps = u.reshape(1, len(u) * C, *u.shape[2:])
        return convolve(maps, s.reshape(-1, 1, 1, 1), s.flatten() if bias else None, groups=len(u) * C).view_as(u)

    return way


def windows(u: Tensor) -> Tensor:
    return functional.unfold(u, 4, stride=4).view(len(u), C, 16, -1)


def bf16(tensor: Tensor) -> Tensor:
    return tensor.bfloat16().float()


class Twice(Excites):
    """u · s · s: two products by one s."""

    def forward(self, x: Tensor) -> Tensor:
        u, s, z = self.excite(x)
        one = u * s
        tell(u, s, one, z)
        both = one * s
        tell(one, s, both, None)
        return both


class Chunks(Excites):
    """Two products, one for each half of the channels."""

    def forward(self, x: Tensor) -> Tensor:
        u, s, _ = self.excite(x)
        made = []
        for maps, factor in zip(u.chunk(2, 1), s.chunk(2, 1), strict=True):
            made.append(maps * factor)
            tell(maps, factor, made[-1], None)
        return torch.cat(made, 1)


class Foreach(Excites):
    """Two products in one call, of which the second has no squeeze."""

    def __init__(self, *, inplace: bool) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        u, s, z = self.excite(x)
        maps, factors = [u, 2 - u], (s, s * 0.5)
        before = [keep(one) for one in maps]
        made = torch._foreach_mul(maps, factors) if not self.inplace else maps
        if self.inplace:
            torch._foreach_mul_(maps, factors)
        tell(before[0], factors[0], made[0], z)
        tell(before[1], factors[1], made[1], None)
        return made[0] + made[1]


class Everything(Excites):
    """Squeeze, gate function and product of single images, mapped over the batch."""

    def forward(self, x: Tensor) -> Tensor:
        u = self.conv(x)
        z = u.mean((2, 3))
        out = torch.vmap(lambda one: one * torch.sigmoid(one.mean((1, 2), keepdim=True) * 5))(u)
        tell(u, torch.sigmoid(z * 5), out, (z, z * 5), rounded=True)
        return out


class Recurrent(nn.Module):
    """A state h over three steps: h = s · c + (1 - s) · h, with s of the candidate c."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2 * C, C, 1), fc()

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(x)
        for _ in range(3):
            c = torch.tanh(self.conv(torch.cat([x, h], 1)))
            z = c.mean((2, 3))
            s = each(torch.sigmoid(self.fc(z)))
            kept = (1 - s) * h
            tell(h, 1 - s, kept, None)
            new = s * c
            tell(c, s, new, z)
            h = kept + new
        return h


@torch.library.custom_op("se_viz_tests::times", mutates_args=())
def times(u: Tensor, s: Tensor) -> Tensor:
    """Multiply where no call is seen."""
    return u * s


@torch.library.custom_op("se_viz_tests::times_in_place", mutates_args=("u",))
def times_in_place(u: Tensor, s: Tensor) -> None:
    """Multiply in place where no call is seen."""
    u.mul_(s)


@torch.library.custom_op("se_viz_tests::times_and_s", mutates_args=())
def times_and_s(u: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply where no call is seen, and return s too."""
    return u * s, s.clone()


def _remember(ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor, Tensor], output: object) -> None:
    del output
    ctx.save_for_backward(*inputs)


def _backward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, *of_s: Tensor) -> tuple[Tensor, Tensor]:
    u, s = ctx.saved_tensors
    return x * s, sum(of_s, (x * u).sum((2, 3), keepdim=True))


times.register_autograd(_backward, setup_context=_remember)
times_and_s.register_autograd(_backward, setup_context=_remember)


def _nhwc(u: Tensor) -> Tensor:
    return u.permute(0, 2, 3, 1)


WAYS: dict[str, Product] = {
    "einsum": lambda u, s, _x: torch.einsum("nc...,nc->nc...", u, s.flatten(1)),
    "addcdiv": lambda u, s, x: torch.addcdiv(x, u, 1 / s),
    "lerp": lambda u, s, x: torch.lerp(x, u, s),
    "lerp_": lambda u, s, x: x.clone().lerp_(u, s),
    "baddbmm": lambda u, s, x: torch.baddbmm(x.flatten(2), torch.diag_embed(s.flatten(1)), u.flatten(2)).view_as(u),
    "conv2d with a bias": grouped(functional.conv2d, bias=True),
    "conv_transpose2d": grouped(functional.conv_transpose2d),
    "group_norm": lambda u, s, _x: functional.group_norm(
        u.reshape(1, -1, *u.shape[2:]), len(u) * C, s.flatten()
    ).view_as(u),
    "_foreach_addcmul": lambda u, s, x: torch._foreach_addcmul([x], [u], [s])[0],
    "_foreach_addcdiv": lambda u, s, x: torch._foreach_addcdiv([x], [u], [1 / s])[0],
    "_foreach_lerp": lambda u, s, x: torch._foreach_lerp([x], [u], [s])[0],
    "_foreach_div": lambda u, s, _x: torch._foreach_div([u], [1 / s])[0],
    "vmap": lambda u, s, _x: torch.vmap(torch.mul)(u, s),
    "vmap of vmap": lambda u, s, _x: torch.vmap(torch.vmap(torch.mul))(u, s),
    "vmap of channels": lambda u, s, _x: torch.vmap(torch.mul, in_dims=1, out_dims=1)(u, s),
    "jvp": lambda u, s, _x: torch.func.jvp(lambda one: one * s, (u,), (u,))[0],
    "view in place": in_place(lambda u, s: u.view(len(u), C, -1).mul_(s.flatten(2))),
    "permuted in place": in_place(lambda u, s: _nhwc(u).mul_(_nhwc(s))),
    "data in place": in_place(lambda u, s: u.data.mul_(s)),
    "video": lambda u, s, _x: (torch.stack([u, u.flip(2)], 2) * s[:, :, None]).mean(2),
    "video, time first": lambda u, s, _x: (torch.stack([u, u.flip(2)], 1) * s[:, None]).mean(1),
    "HWNC": lambda u, s, _x: (u.permute(2, 3, 0, 1) * s.flatten(1)).permute(2, 3, 0, 1),
    "WNCH": lambda u, s, _x: (u.permute(3, 0, 1, 2) * s.flatten(1)[None, :, :, None]).permute(1, 2, 3, 0),
    "(NC)HW": lambda u, s, _x: (u.flatten(0, 1) * s.reshape(-1, 1, 1)).view_as(u),
    "custom operator": lambda u, s, _x: torch.ops.se_viz_tests.times(u, s),
    "custom operator in place": in_place(torch.ops.se_viz_tests.times_in_place),
    "custom operator of two outputs": lambda u, s, _x: torch.ops.se_viz_tests.times_and_s(u, s)[0],
    "NumPy": lambda u, s, _x: torch.from_numpy(u.numpy() * s.numpy()) if not torch.is_grad_enabled() else u * s,
    "memory of a product": lambda u, s, _x: torch.empty(0).set_(u * s) if not torch.is_grad_enabled() else u * s,
    "fft": lambda u, s, _x: torch.fft.ifft2(torch.fft.fft2(u) * s).real,
    "double": lambda u, s, _x: (u.double() * s.double()).float(),
}

CASES = {way: Case(lambda f=f: Beside(Times(f)), 2, or_told="body.0") for way, f in WAYS.items()}
CASES |= {
    "twice": Case(lambda: Beside(Twice()), 3),
    "chunks": Case(lambda: Beside(Chunks()), 3),
    "_foreach_mul": Case(lambda: Beside(Foreach(inplace=False)), 3),
    "_foreach_mul_": Case(lambda: Beside(Foreach(inplace=True)), 3),
    "all under vmap": Case(lambda: Beside(Everything()), 2),
    "recurrent": Case(lambda: Beside(Recurrent()), 7),
    "strided": Case(lambda: Beside(Times(lambda u, s, _x: u[:, :, ::2, ::2] * s, lambda u: u[:, :, ::2, ::2])), 2),
    "rows in place": Case(lambda: Beside(Times(in_place(lambda u, s: u[:, :, :4].mul_(s)), lambda u: u[:, :, :4])), 2),
    "reversed channels": Case(lambda: Beside(Times(lambda u, s, _x: u.flip(1) * s, lambda u: u.flip(1))), 2),
    "windows": Case(
        lambda: Beside(
            Times(lambda u, s, _x: functional.fold((windows(u) * s).flatten(1, 2), u.shape[2:], 4, stride=4), windows)
        ),
        2,
    ),
    "s in bf16": Case(lambda: Beside(Times(lambda u, s, _x: u * bf16(s), s=bf16)), 2),
}
