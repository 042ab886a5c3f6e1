"""The description of one gate of a network."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from torch import Tensor

from se_viz import former_names

Layout: TypeAlias = Literal["nchw", "nhwc"]

NOT_SEEN = "not seen"
"""Squeeze operator of a gate for which s was not seen to come from one squeeze of U alone."""


@dataclass(frozen=True, slots=True)
class TapPoint:
    """The point where a value of a gate is read as input or output of one of its modules, at the module's first call.

    Attributes:
        path: path of the submodule, relative to the gate.
        side: whether the value is the input or the output of the submodule.
        padded: whether the gate has padded the value on both sides (ECA's circular variant), so that the C numbers in
            its centre are the value.
    """

    path: str
    side: Literal["input", "output"]
    padded: bool = False

    def finish(self, value: Tensor, images: int, channels: int) -> Tensor:
        """Return the tapped tensor of N ``images``, of any shape, as (N, C).

        The second axis has another length than C if the module is no longer the gate that was found. N is an argument
        because gates written with ``squeeze()`` lose the axis of a single image.
        """
        flat = value.reshape(images, -1)
        if self.padded:
            start = (flat.shape[1] - channels) // 2
            flat = flat[:, start : start + channels]
        return flat


@dataclass(frozen=True, slots=True)
class CallTap:
    """The call of a torch function at which a value of a gate is read that is not input or output of a module.

    Attributes:
        path: path of the innermost module that makes the call, "" for the network itself.
        run: how many times that module has run before in the pass.
        function: the called function, for instance ``torch.Tensor.mul``.
        ordinal: how many times that run has called the function before.
        calls: how many times that run calls the function in total; another number means that the network runs other
            code than when its gates were found.
        item: position of the value among the tensors that the call returns.
    """

    path: str
    run: int
    function: Callable[..., Any]
    ordinal: int
    calls: int
    item: int = 0


@dataclass(frozen=True, slots=True)
class ProductTap:
    """The call that multiplies U by s.

    Attributes:
        call: the call.
        u, s: positions of U and s among the tensors that it takes.
        divides: whether it divides U by the tensor it takes, so that s is the reciprocal of that tensor.
        item: position of X̃ among the tensors that it returns.
    """

    call: CallTap
    u: int
    s: int
    divides: bool = False
    item: int = 0


@former_names.with_former_fields
@dataclass(frozen=True, slots=True)
class Gate:
    """One SE unit of a network, in the terms of the paper.

    Attributes:
        name: for instance SE_2_3, the gate of the third block of stage 2, as in the paper's Figure 6; SE_2_3b is its
            second run in that block.
        path: path of the module whose code multiplies U by s (``network.get_submodule(path)``). If ``product`` is set,
            this module may do more than that: for instance a block that has no module for its gate.
        kind: class of that module.
        stage: i if the block works at 1/2^i of the input's resolution; 2 … 5 in a ResNet.
        block: position of the block in its stage, from 1.
        channels: C, length of z and s.
        bottleneck: width between the two FC layers, C/r; None if there is no bottleneck (ECA, effective SE).
        squeeze: squeeze operator: "avg", "max", "avg+max" (their mean or sum), "avg, max" (both; z is the first if s is
            computed from one after the other, else None), "std" and others by name, "other", or ``NOT_SEEN`` if s was
            not seen to come from one squeeze of U alone.
        gate_function: name of the gate function, for instance "sigmoid", or "other".
        found_by: "class" for a known class, "search" for another module, "watch" if the multiplication is watched.
        layout: order of the axes of U.
        run: how many times the module has run before in the pass: a module that runs several times is several gates.
        parameters: names of the parameters that s is computed with if the gate is not a module; otherwise empty.
        z_tap, s_tap: the points where z and s are read if the gate is a module.
        z_call, product: the calls where z and s are read if it is not. Without ``z_tap`` and ``z_call`` there is no z.
        called_at: the path of the gate if every block that runs it had a separate copy. For a gate that is not a
            module, this is the path of its block with one more part.
        scoped: whether a value counts only while the gate runs, because its modules also run for others.
        threaded: whether the network runs the gate in a separate thread.
    """

    name: str
    path: str
    kind: str
    stage: int
    block: int
    channels: int
    bottleneck: int | None
    squeeze: str
    gate_function: str
    found_by: Literal["class", "search", "watch"]
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
        """True if s was seen to come from one squeeze of U alone, so that z can be read."""
        return self.z_tap is not None or self.z_call is not None

    @property
    def r(self) -> float | None:
        """Effective reduction ratio C / bottleneck; None if r does not apply."""
        return None if self.bottleneck is None else self.channels / self.bottleneck

    @property
    def ratio(self) -> str:
        """The reduction ratio in words, with three digits."""
        return "no bottleneck" if self.r is None else f"r = {self.r:.3g}"


class _Staged(Protocol):
    @property
    def stage(self) -> int: ...


_AnyGate = TypeVar("_AnyGate", bound=_Staged)


def by_stage(gates: Iterable[_AnyGate]) -> dict[int, list[_AnyGate]]:
    """Return gates, or the class profiles of gates, by stage: stages in ascending order, gates in the given order."""
    stages: dict[int, list[_AnyGate]] = {}
    for gate in gates:
        stages.setdefault(gate.stage, []).append(gate)
    return dict(sorted(stages.items()))
