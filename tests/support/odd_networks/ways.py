"""Networks whose gates run in unusual ways, or differently for different images."""

import threading
import warnings

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from support.odd_networks.gates import SE, C, Case, Odd, each, fc, given, raw, tell
from support.odd_networks.inline import Inline


class Excites(nn.Module):
    """A base class that computes s from maps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc, self.other = nn.Conv2d(C, C, 1), fc(), fc()

    def excite(self, x: Tensor, layers: nn.Module | None = None) -> tuple[Tensor, Tensor]:
        z = x.mean((2, 3))
        return each(torch.sigmoid((layers or self.fc)(z))), z

    def gate(self, x: Tensor, layers: nn.Module | None = None) -> Tensor:
        s, z = self.excite(x, layers)
        out = x * s
        tell(x, s, out, z)
        return out


class Loop(Excites):
    """Three gates by the same line."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = self.gate(self.conv(x))
        return x


class TwoFactors(Excites):
    """x · s · t: the second factor is a gate, too; its U is the output of the first, and its z is a squeeze of x."""

    def forward(self, x: Tensor) -> Tensor:
        s, z = self.excite(x)
        t, _ = self.excite(x, self.other)
        one = x * s
        tell(x, s, one, z)
        both = one * t
        tell(one, t, both, None)
        return both


class OneFactor(Excites):
    """x · (s · t): one gate."""

    def forward(self, x: Tensor) -> Tensor:
        s, z = self.excite(x)
        t, _ = self.excite(x, self.other)
        both = s * t
        out = x * both
        tell(x, both, out, z, lax=True)
        return out


class WithSpatial(Excites):
    """x · s · a, where a is a spatial attention."""

    def forward(self, x: Tensor) -> Tensor:
        s, z = self.excite(x)
        s = given(s)
        attention = torch.sigmoid(x.mean(1, keepdim=True))
        u = x
        x = u * s * attention
        tell(u, s, None, z)
        return x


class AutocastInside(Excites):
    """A network that computes as much as possible in bf16."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            x = self.conv(x)
            s, z = self.excite(x)
            out = x * s
            tell(x, s, out, z, lax=True)
        return out.float()


class OwnFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, s: Tensor) -> Tensor:
        ctx.save_for_backward(x, s)
        return x * s

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, s = ctx.saved_tensors
        return grad * s, (grad * x).sum((2, 3), keepdim=True)


class Through(Excites):
    """A gate that multiplies in a custom way."""

    def __init__(self, multiply) -> None:
        super().__init__()
        self.multiply = multiply

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        s, z = self.excite(x)
        out = self.multiply(x, s)
        tell(x, s, out, z, lax=True)
        return out + x


def _scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(_times)


def _times(x: Tensor, s: Tensor) -> Tensor:
    return x * s


def _mapped(x: Tensor, s: Tensor) -> Tensor:
    return torch.vmap(lambda one, weights: one * weights)(x, s)


class InHook(nn.Module):
    """The gate is a forward hook of a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(C, C, 1), fc()
        self.conv.register_forward_hook(lambda _module, _args, out: self.gate(out))

    def gate(self, x: Tensor) -> Tensor:
        z = x.mean((2, 3))
        s = each(torch.sigmoid(self.fc(z)))
        out = x * s
        tell(x, s, out, z)
        return out

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Locked(Excites):
    """A network with an attribute that cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def forward(self, x: Tensor) -> Tensor:
        with self.lock:
            return self.gate(x)


class NoisyWeights(Excites):
    """A gate with a random s, in eval mode too."""

    def forward(self, x: Tensor) -> Tensor:
        z = x.mean((2, 3))
        y = self.fc(z)
        s = each(torch.sigmoid(y + torch.randn_like(y)))
        out = x * s
        tell(x, s, out, z)
        return out


class Functional(nn.Module):
    """A network that runs its gate with given weights."""

    def __init__(self) -> None:
        super().__init__()
        self.se = SE()

    def forward(self, x: Tensor) -> Tensor:
        return torch.func.functional_call(self.se, {"fc.0.weight": self.se.fc[0].weight * 2}, (x,))


class ChannelsLast(Excites):
    def forward(self, x: Tensor) -> Tensor:
        return self.gate(x.contiguous(memory_format=torch.channels_last)).relu()


class Square(nn.Module):
    """Maps with C = H = W, and factors that are repeated over them."""

    def __init__(self, *, nhwc: bool) -> None:
        super().__init__()
        self.wide, self.fc, self.narrow, self.nhwc = nn.Conv2d(C, 16, 1), fc(16), nn.Conv2d(16, C, 1), nhwc

    def forward(self, x: Tensor) -> Tensor:
        x = self.wide(x)
        z = x.mean((2, 3))
        s = torch.sigmoid(self.fc(z))
        if self.nhwc:
            maps = x.permute(0, 2, 3, 1)
            out = maps * s[:, None, None, :].expand_as(maps)
            tell(maps, s, out, z, nhwc=True)
            return self.narrow(out.permute(0, 3, 1, 2))
        out = x * each(s).repeat(1, 1, *x.shape[2:])
        tell(x, s, out, z)
        return self.narrow(out)


CASES = {
    "loop": Case(lambda: Odd(Loop()), 3),
    "two factors": Case(lambda: Odd(TwoFactors()), 2),
    "one factor of two": Case(lambda: Odd(OneFactor())),
    "a spatial factor behind": Case(lambda: Odd(WithSpatial())),
    "autocast inside": Case(lambda: Odd(AutocastInside()), tolerance=2e-2),
    "autograd function": Case(lambda: Odd(Through(OwnFunction.apply)), or_told="."),
    "scripted function": Case(lambda: Odd(Through(_scripted())), or_told="."),
    "vmap": Case(lambda: Odd(Through(_mapped)), or_told="."),
    "torch.ops": Case(lambda: Odd(Through(torch.ops.aten.mul.Tensor)), or_told="."),
    "hook": Case(lambda: Odd(InHook())),
    "lock": Case(lambda: Odd(Locked(), Inline()), 2),
    "noise in s": Case(lambda: Odd(NoisyWeights())),
    "functional call": Case(lambda: Odd(Functional())),
    "channels last": Case(lambda: Odd(ChannelsLast())),
    "square": Case(lambda: Odd(Square(nhwc=False), Square(nhwc=True)), 2),
}


class ScalesOdd(Excites):
    """A network that first multiplies batches of odd size by a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = raw(1, C, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) % 2:
            x = x * self.scale
        return self.gate(x)


class ScalesWell(Excites):
    """A network that first normalises batches of odd size: the factor differs between images but is not a gate."""

    def forward(self, x: Tensor) -> Tensor:
        if len(x) % 2:
            x = x * x.std((2, 3), keepdim=True).reciprocal()
        return self.gate(x)


class Skips(Excites):
    """A network that skips its first gate if the images are dark."""

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            x = self.gate(x)
        return self.gate(self.conv(x), self.other)


class SquarePool(Excites):
    """One gate, by the same line, for each time the maps can be halved."""

    def forward(self, x: Tensor) -> Tensor:
        while x.shape[-1] > 8:
            x = nn.functional.avg_pool2d(self.gate(x), 2)
        return self.gate(x)


class OneImage(Excites):
    """A gate that squeezes a single image by another line."""

    def forward(self, x: Tensor) -> Tensor:
        z = x.mean((1, 2, 3)) if len(x) == 0 else x.amax((2, 3)) if len(x) == 1 else x.mean((2, 3))
        s = each(torch.sigmoid(self.fc(z)))
        out = x * s
        tell(x, s, out, z, lax=True)
        return out


class Nothing(TorchFunctionMode):
    """A function mode of the caller."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


CHANGING = {
    "a constant first": lambda: Odd(ScalesOdd()),
    "a normalisation first": lambda: Odd(ScalesWell()),
    "a gate left out": lambda: Odd(Skips()),
    "as many gates as halves": lambda: Odd(SquarePool()),
    "another squeeze": lambda: Odd(OneImage()),
    "beside a module": lambda: Odd(SE(), ScalesOdd(), SE()),
}
