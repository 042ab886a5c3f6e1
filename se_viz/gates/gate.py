"""What is known about one gate of a network."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from torch import Tensor

Layout: TypeAlias = Literal["nchw", "nhwc"]

NOT_SEEN = "not seen"
"""Squeeze operator of a gate of which no squeeze of U was seen to feed s."""


@dataclass(frozen=True, slots=True)
class TapPoint:
    """Where a value of a gate is read that one of its modules takes or puts out, at the module's first call.

    Attributes:
        path: the submodule, relative to the gate.
        side: whether its input or its output is the value.
        padded: whether the gate has padded it on both sides (ECA's circular variant), so that C numbers in its centre
            are the value.
    """

    path: str
    side: Literal["input", "output"]
    padded: bool = False

    def finish(self, value: Tensor, images: int, channels: int) -> Tensor:
        """The tapped tensor of N ``images``, of any shape → (N, C); of another length if this is no longer the gate.

        N is an argument because gates written with ``squeeze()`` lose the axis of a single image.
        """
        flat = value.reshape(images, -1)
        if self.padded:
            start = (flat.shape[1] - channels) // 2
            flat = flat[:, start : start + channels]
        return flat


@dataclass(frozen=True, slots=True)
class CallTap:
    """Where a value of a gate is read that no module takes or puts out: at a call of a torch function.

    Attributes:
        path: the innermost module of the network that runs the call, "" for the network itself.
        run: how many times that module has run before in the pass.
        function: what is called, for instance ``torch.Tensor.mul``.
        ordinal: how many times that run has called it before.
        calls: how many times it calls it in all; another number means that the network takes another way.
        item: which of the tensors that it returns.
    """

    path: str
    run: int
    function: Callable[..., Any]
    ordinal: int
    calls: int
    item: int = 0


@dataclass(frozen=True, slots=True)
class ProductTap:
    """The call that multiplies U by s: which of the tensors that it takes are they, and whether it divides."""

    call: CallTap
    u: int
    s: int
    divides: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """One SE unit of a network, in the paper's words.

    Attributes:
        name: SE_2_3 is the gate of the third block of stage 2, as in the paper's Figure 6; SE_2_3b is its second run
            in that block.
        path: the module whose code multiplies U by s (``network.get_submodule(path)``); where ``product`` is set it may
            do more than that, as a block that is written without a module for its gate does.
        kind: the class of that module.
        stage: i where the block works at 1/2^i of the input's resolution; 2 … 5 in a ResNet.
        block: position in its stage, from 1.
        channels: C, length of z and s.
        bottleneck: width between the two FC layers, C/r; None where there is no bottleneck (ECA, effective SE).
        squeeze: squeeze operator: "avg", "max", "avg+max" (their mean or sum), "avg, max" (both, one after the other; z
            is the first), "std" and others by name, "other", or ``NOT_SEEN`` where no squeeze of U was seen to feed s.
        function: gate function, for instance "sigmoid", or "other".
        proof: "class" for a known kind, "search" for another module, "watch" where the multiplication is watched.
        layout: order of the axes of U.
        run: how many times the module has run before in the pass: a module that runs several times is several gates.
        parameters: names of the parameters that make s, where the gate is no module of its own; else empty.
        z_tap, s_tap: where z and s are read in a gate that is a module.
        z_call, product: where they are read in another. Without ``z_tap`` and ``z_call`` there is no z.
        called_at: the path it would have if each block that runs it had its own; a gate that is no module has one more
            part there than its block.
        scoped: whether a value counts only while the gate runs, as its modules serve others too.
        threaded: whether the network runs it in a thread of its own.
    """

    name: str
    path: str
    kind: str
    stage: int
    block: int
    channels: int
    bottleneck: int | None
    squeeze: str
    function: str
    proof: Literal["class", "search", "watch"]
    layout: Layout = "nchw"
    run: int = 0
    parameters: tuple[str, ...] = ()
    z_tap: TapPoint | None = field(default=None, repr=False, kw_only=True)
    s_tap: TapPoint | None = field(default=None, repr=False, kw_only=True)
    z_call: CallTap | None = field(default=None, repr=False, kw_only=True)
    product: ProductTap | None = field(default=None, repr=False, kw_only=True)
    called_at: str = field(default="", repr=False, kw_only=True)
    scoped: bool = field(default=False, repr=False, kw_only=True)
    threaded: bool = field(default=False, repr=False, kw_only=True)

    @property
    def has_z(self) -> bool:
        """Whether a squeeze of U was seen to feed s, so that z can be read."""
        return self.z_tap is not None or self.z_call is not None

    @property
    def r(self) -> float | None:
        """Effective reduction ratio C / bottleneck; None where r does not apply."""
        return None if self.bottleneck is None else self.channels / self.bottleneck

    @property
    def ratio(self) -> str:
        """The same in words, with three digits."""
        return "no bottleneck" if self.r is None else f"r = {self.r:.3g}"


class _Staged(Protocol):
    @property
    def stage(self) -> int: ...


_AnyGate = TypeVar("_AnyGate", bound=_Staged)


def by_stage(gates: Iterable[_AnyGate]) -> dict[int, list[_AnyGate]]:
    """Gates, or what class profiles say of them, grouped by stage: stages from the first, gates in the order given."""
    stages: dict[int, list[_AnyGate]] = {}
    for gate in gates:
        stages.setdefault(gate.stage, []).append(gate)
    return dict(sorted(stages.items()))
