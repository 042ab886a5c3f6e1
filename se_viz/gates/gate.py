"""What is known about one gate of a network."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor

Layout: TypeAlias = Literal["nchw", "nhwc"]

# Gate functions by name. A proof recognises them in a module by what it computes, and tries them on what the last
# layer put out where code applies them without a module.
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "hard-sigmoid": torch.nn.functional.hardsigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "relu6": torch.nn.functional.relu6,
}


@dataclass(frozen=True, slots=True)
class Tap:
    """Where a value of a gate is read: at the first call of a submodule, with at most a known function behind it.

    Attributes:
        path: the submodule, relative to the gate.
        side: whether its input or its output is the value.
        function: name in ``FUNCTIONS`` of what the gate's own code applies to it; empty for none.
        padded: whether the gate has padded it on both sides (ECA's circular variant), so that C numbers in its centre
            are the value.
    """

    path: str
    side: Literal["input", "output"]
    function: str = ""
    padded: bool = False

    def finish(self, value: Tensor, images: int, channels: int) -> Tensor:
        """The tapped tensor of N ``images``, of any shape → (N, C); of another length if this is no longer the gate.

        N is an argument because gates written with ``squeeze()`` lose the axis of a single image.
        """
        flat = value.reshape(images, -1)
        if self.padded:
            start = (flat.shape[1] - channels) // 2
            flat = flat[:, start : start + channels]
        return FUNCTIONS[self.function](flat) if self.function else flat


@dataclass(frozen=True, slots=True)
class Gate:
    """One SE unit of a network, in the paper's words.

    Attributes:
        name: SE_2_3 is the gate of the third block of stage 2, as in the paper's Figure 6.
        path: the module's name in the network (``network.get_submodule(path)``).
        kind: the class of the module.
        stage: i where the block works at 1/2^i of the input's resolution; 2 … 5 in a ResNet.
        block: position in its stage, from 1.
        channels: C, length of z and s.
        bottleneck: width between the two FC layers, C/r; None where there is no bottleneck (ECA, effective SE).
        squeeze: squeeze operator: "avg", "max", "avg+max" (their mean), "avg, max" (both, one after the other; z is
            the first), or "other".
        function: gate function, for instance "sigmoid".
        proof: "class" for a known kind, "search" for an unknown module; both passed the same probe.
        layout: order of the axes of the gate's input.
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
    proof: Literal["class", "search"]
    layout: Layout = "nchw"
    z_tap: Tap = field(repr=False, kw_only=True)
    s_tap: Tap = field(repr=False, kw_only=True)

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
    """Gates, or what an atlas says of them, grouped by stage: stages from the first, gates in the order given."""
    stages: dict[int, list[_AnyGate]] = {}
    for gate in gates:
        stages.setdefault(gate.stage, []).append(gate)
    return dict(sorted(stages.items()))
