"""Gates that share parts, are called in unusual ways, or run where a hook does not see them."""

import copy
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from support.odd_networks.gates import SE, C, Case, Odd, awake, each, fc, strong, tell


class DefaultArgument(SE):
    def __init__(self, gate: nn.Module = nn.Sigmoid()) -> None:  # noqa: B008
        super().__init__(C, gate)


class ClassAttribute(nn.Module):
    """A gate whose gate function is a module that no instance has registered."""

    act = nn.Sigmoid()
    pool = nn.AdaptiveAvgPool2d(1)

    def __init__(self) -> None:
        super().__init__()
        self.fc = fc()

    def forward(self, x: Tensor) -> Tensor:
        z = self.pool(x)
        s = each(self.act(self.fc(z.flatten(1))))
        out = x * s
        tell(x, s, out, z)
        return out


class Widths(Odd):
    """Two gates of different widths with one gate function."""

    def __init__(self) -> None:
        gate = nn.Sigmoid()
        super().__init__(SE(C, gate), nn.Conv2d(C, 2 * C, 1), SE(2 * C, gate), channels=2 * C)


class Nested(nn.Module):
    """Two gates that share everything; the inner one runs after the z and before the s of the outer one."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.pool, self.outer = nn.Sigmoid(), nn.AdaptiveAvgPool2d(1), fc()
        self.inner = SE(C, self.gate)

    def forward(self, x: Tensor) -> Tensor:
        z = self.pool(x)
        y = self.inner(x)
        s = each(self.gate(self.outer(z.flatten(1))))
        out = y * s
        tell(y, s, out, None)
        return out


class Recursive(SE):
    """A module that calls itself on its output."""

    def forward(self, x: Tensor, depth: int = 2) -> Tensor:
        x = super().forward(x)
        return self(x.relu() + 0.1, depth - 1) if depth else x


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.se = nn.Conv2d(C, C, 1), SE()

    def forward(self, x: Tensor) -> Tensor:
        return self.se(self.conv(self.se(x)))


class Block(nn.Module):
    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.conv, self.se = nn.Conv2d(C, C, 3, padding=1), gate

    def forward(self, x: Tensor) -> Tensor:
        return self.se(self.conv(x)) + x


class ByKeyword(Block):
    def forward(self, x: Tensor) -> Tensor:
        return self.se(x=self.conv(input=x)) + x


class PartsByKeyword(SE):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc = awake(strong(nn.Linear(C, 4))), strong(nn.Linear(4, C)), None

    def forward(self, x: Tensor) -> Tensor:
        z = self.pool(input=x).flatten(1)
        s = each(self.gate(input=self.fc2(input=self.fc1(input=z).relu())))
        out = torch.mul(input=x, other=s)
        tell(x, s, out, z)
        return out


class OnlyS(SE):
    """A module that returns s; the block around it multiplies."""

    def forward(self, x: Tensor) -> Tensor:
        z = self.pool(x).flatten(1)
        return each(self.gate(self.fc(z)))


class Multiplies(Block):
    def __init__(self) -> None:
        super().__init__(OnlyS())

    def forward(self, x: Tensor) -> Tensor:
        u = self.conv(x)
        s = self.se(u)
        out = u * s
        tell(u, s, out, u.mean((2, 3), keepdim=True))
        return out


class Pair(SE):
    """A module that returns the maps and s."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.pool(x).flatten(1)
        s = each(self.gate(self.fc(z)))
        out = x * s
        tell(x, s, out, z)
        return out, s


class TakesPair(Block):
    def __init__(self) -> None:
        super().__init__(Pair())

    def forward(self, x: Tensor) -> Tensor:
        maps, s = self.se(self.conv(x))
        return maps + s


class TwoArguments(SE):
    """A gate that takes a shortcut in addition to its maps."""

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        return super().forward(x) + shortcut


class WithShortcut(Block):
    def __init__(self) -> None:
        super().__init__(TwoArguments())

    def forward(self, x: Tensor) -> Tensor:
        return self.se(self.conv(x), shortcut=x)


class Called(SE):
    """A module that runs without the hooks of ``nn.Module``."""

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)


class ForwardCalled(Block):
    def forward(self, x: Tensor) -> Tensor:
        return self.se.forward(self.conv.forward(x)) + x


class Unregistered(nn.Module):
    """A network with gates in a list that ``nn.Module`` does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = [SE(), SE()]

    def forward(self, x: Tensor) -> Tensor:
        for gate in self.gates:
            x = gate(x).relu() + x
        return x


class Checkpointed(Block):
    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.se, self.conv(x), use_reentrant=False) + x


class InOneThread(Block):
    """A network that runs its gate in a separate thread."""

    def forward(self, x: Tensor) -> Tensor:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self.se, self.conv(x)).result() + x


class Replicas(Block):
    """A network that runs copies of its gate on halves of the batch in parallel, as ``nn.DataParallel`` does."""

    def forward(self, x: Tensor) -> Tensor:
        halves = self.conv(x).chunk(2)
        gates = [copy.copy(self.se) for _ in halves]
        with ThreadPoolExecutor(2) as pool:
            return torch.cat(list(pool.map(lambda gate, half: gate(half), gates, halves))) + x


class Chunks(Block):
    """A network that runs its gate on one image after the other."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.se(one) for one in self.conv(x).split(1)]) + x


class Parallel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.DataParallel(Block(SE()), device_ids=None)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def _shared_function() -> Odd:
    gate = nn.Sigmoid()
    return Odd(SE(C, gate), nn.ReLU(), SE(C, gate))


def _shared_layers() -> Odd:
    layers = fc()
    return Odd(SE(C, layers=layers), nn.BatchNorm2d(C), SE(C, layers=layers))


def _shared_gate() -> Odd:
    gate = SE()
    return Odd(Block(gate), Block(SE()), Block(gate))


def _everything_shared() -> Odd:
    gate, layers = nn.Sigmoid(), fc()
    one = SE(C, gate, layers)
    return Odd(Block(one), Block(SE(C, gate, layers)), Block(one), Block(SE(C, gate)))


_THREADS = "thread|replica|side by side|parallel"

CASES = {
    "one gate function": Case(_shared_function, 2),
    "one gate function, two widths": Case(Widths, 2),
    "default argument": Case(lambda: Odd(DefaultArgument(), nn.ReLU(), DefaultArgument()), 2),
    "class attribute": Case(lambda: Odd(ClassAttribute(), nn.ReLU(), ClassAttribute()), 2),
    "one MLP": Case(_shared_layers, 2),
    "one gate in two blocks": Case(_shared_gate, 3),
    "everything shared": Case(_everything_shared, 4),
    "nested": Case(lambda: Odd(Nested()), 2),
    "recursive": Case(lambda: Odd(Recursive()), 3),
    "twice in a block": Case(lambda: Odd(Twice(), SE()), 3),
    "by keyword": Case(lambda: Odd(ByKeyword(SE()))),
    "parts by keyword": Case(lambda: Odd(ByKeyword(PartsByKeyword()))),
    "module of s": Case(lambda: Odd(Multiplies())),
    "maps and s": Case(lambda: Odd(TakesPair())),
    "two arguments": Case(lambda: Odd(WithShortcut())),
    "__call__": Case(lambda: Odd(Called(), nn.ReLU(), SE()), 2),
    "forward called": Case(lambda: Odd(ForwardCalled(SE()))),
    "plain list": Case(lambda: Odd(Unregistered()), 2),
    "checkpoint": Case(lambda: Odd(Checkpointed(SE()), SE()), 2),
    "DataParallel without a GPU": Case(lambda: nn.DataParallel(Odd(Parallel(), SE())), 2),
    "in a thread": Case(lambda: Odd(InOneThread(SE())), or_told=_THREADS),
    "in a thread beside another": Case(lambda: Odd(InOneThread(SE()), SE()), 2, or_told=_THREADS),
}

# The batch is split, so a run of the gate has the s of some images only: there is not one event for each gate.
CUT = {
    "replicas": Case(lambda: Odd(Replicas(SE())), or_told=_THREADS + "|part"),
    "one image after the other": Case(lambda: Odd(Chunks(SE())), or_told="part|one image|batch|more than once"),
}
