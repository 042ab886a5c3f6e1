"""A constant gate, and the neighbouring layer that can multiply in its place.

X̃ = s · U with a constant s is linear in each channel. If U is the output of a BatchNorm or a convolution and
nothing else takes it, s goes into the weights of that module, also through a ReLU if s ≥ 0. If X̃ goes into one
convolution and nowhere else, s goes into the weights of its input channels. Names and order of modules do not show
this; one forward pass does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from se_viz.gates.edited_product import wide
from se_viz.gates.gate import Layout
from se_viz.gates.trace import first_tensor, watched
from se_viz.model.fold_batchnorm import CountUses, has_hooks, is_convolution, is_norm


class ConstantGate(nn.Module):
    """X̃ = s · U with the same s for each image.

    Attributes:
        s: buffer, in the shape in which it multiplies maps: (1, C, 1, 1) or (1, 1, 1, C).
        overwrites: whether X̃ takes the place of U, as in the gate that it replaces: the block may go on with U.
    """

    s: Tensor

    def __init__(self, s: Tensor, layout: Layout, *, overwrites: bool = False) -> None:
        super().__init__()
        self.layout: Layout = layout
        self.overwrites = overwrites
        self.register_buffer("s", wide(s[None], layout).clone())

    def forward(self, *args: Tensor, **named: Tensor) -> Tensor:
        """Maps U, the first argument, → X̃, of the same shape, (N, C, H, W) or (N, H, W, C)."""
        maps: Tensor = first_tensor(args, named)
        factor = self.s.to(maps.dtype)
        return maps.mul_(factor) if self.overwrites else maps * factor


class Passing(nn.Identity):
    """A gate with s = 1: U, the first argument, whatever else the block gives its gate."""

    def forward(self, *args: Tensor, **named: Tensor) -> Tensor:
        """Return U."""
        maps: Tensor = first_tensor(args, named)
        return maps


@dataclass(slots=True, eq=False)
class _Made:
    """A tensor that a module returned, and its uses.

    Attributes:
        module: the module that returned it.
        origin: the origin of the tensor that the module took, where it is known.
        uses: number of operations that took it.
        taker: the first module that took it.
    """

    module: nn.Module
    origin: "_Made | None" = None
    uses: int = 0
    taker: nn.Module | None = None


@dataclass(slots=True, eq=False)
class Neighbours:
    """Modules before and behind each constant gate in a pass.

    Attributes:
        output: the output of the network.
        runs: the constant gates, convolutions, BatchNorms and ReLUs, in the order in which they ran.
        behind: the use of the output of each, in its last run.
    """

    output: object = None
    runs: list[nn.Module] = field(default_factory=list)
    behind: dict[nn.Module, _Made] = field(default_factory=dict)

    def producer(self, gate: nn.Module, *, through_relu: bool) -> nn.Module | None:
        """Return the module whose output goes into the gate and nowhere else, through a ReLU if that is allowed."""
        after = self.behind.get(gate)
        made = after.origin if after is not None else None
        if through_relu and made is not None and made.uses == 1 and type(made.module) is nn.ReLU:
            made = made.origin
        return made.module if made is not None and made.uses == 1 and self._once(gate, made.module) else None

    def consumer(self, gate: nn.Module) -> nn.Module | None:
        """Return the module into which X̃ goes, and nowhere else."""
        made = self.behind.get(gate)
        taker = made.taker if made is not None and made.uses == 1 else None
        return taker if taker is not None and self._once(gate, taker) else None

    def _once(self, *modules: nn.Module) -> bool:
        return all(self.runs.count(module) == 1 for module in modules)


def trace_neighbours(network: nn.Module, images: Tensor) -> Neighbours:
    """Run a network once, without gradients, and find the neighbours of its constant gates.

    Args:
        network: the network in eval mode, with a ``ConstantGate`` instead of each of the gates.
        images: images (N, 3, H, W); the network gets a copy.
    """
    seen = Neighbours()
    # Weak, so that no feature map lives longer than without being watched.
    known = WeakTensorKeyDictionary()
    parts = [
        module
        for module in network.modules()
        if isinstance(module, ConstantGate)
        or ((is_convolution(module) or is_norm(module) or type(module) is nn.ReLU) and not has_hooks(module))
    ]
    taken: dict[nn.Module, _Made | None] = {}

    def enter(module: nn.Module, value: object) -> None:
        seen.runs.append(module)
        made = known.get(value) if isinstance(value, Tensor) else None
        taken[module] = made if made is not None and not made.uses else None
        if made is not None and not made.uses:
            made.taker = module

    def leave(module: nn.Module, value: object) -> None:
        if isinstance(value, Tensor):
            # A ReLU in place returns the tensor that it took: from here on that is another output.
            known[value] = seen.behind[module] = _Made(module, taken.pop(module, None))

    with torch.no_grad(), watched(parts, enter, leave), CountUses(known):
        seen.output = network(images.clone())
    for value in tree_leaves(seen.output):
        made = known.get(value) if isinstance(value, Tensor) else None
        if made is not None:
            made.uses += 1  # by the caller
    return seen


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """A module that multiplies by s instead of a gate: ``apply`` changes its weights, ``undo`` restores them."""

    module: nn.Module
    scale: Callable[[str, Tensor], Tensor]
    _kept: dict[str, nn.Parameter] = field(default_factory=dict)

    @property
    def into(self) -> str:
        """Return the kind of the module."""
        return "BatchNorm" if is_norm(self.module) else "convolution"

    def apply(self) -> None:
        """Multiply in double precision, so that a product is rounded once; on the CPU, as not every device has it."""
        for name in ("weight", "bias"):
            old = self.module._parameters.get(name)
            if old is not None:
                self._kept[name] = old
                made = self.scale(name, old.detach().cpu().double()).to(old)
                self.module._parameters[name] = nn.Parameter(made, requires_grad=old.requires_grad)

    def undo(self) -> None:
        """Restore the weights."""
        self.module._parameters.update(self._kept)


def find_fold(gate: ConstantGate, s: Tensor, seen: Neighbours) -> Fold | None:
    """Return the neighbour that can multiply by s (C,), in double precision, exactly; otherwise None."""
    if gate.layout != "nchw" or gate.overwrites:
        return None
    producer, consumer = seen.producer(gate, through_relu=bool((s >= 0).all())), seen.consumer(gate)
    if isinstance(producer, nn.BatchNorm2d | nn.Conv2d) and _is_linear(producer, s):

        def of_output(_name: str, weight: Tensor) -> Tensor:
            return weight * s.to(weight.device).view(-1, *[1] * (weight.ndim - 1))

        return Fold(producer, of_output)
    if isinstance(consumer, nn.Conv2d) and consumer.in_channels == len(s):
        groups = consumer.groups

        def of_input(name: str, weight: Tensor) -> Tensor:
            if name == "bias":
                return weight
            by_group = weight.reshape(groups, -1, *weight.shape[1:])  # (G, O/G, C/G, kH, kW)
            return (by_group * s.to(weight.device).view(groups, 1, -1, 1, 1)).reshape(weight.shape)

        return Fold(consumer, of_input)
    return None


def _is_linear(module: nn.BatchNorm2d | nn.Conv2d, s: Tensor) -> bool:
    """Return whether s may multiply the weights and biases of a module in place of what it returns."""
    if isinstance(module, nn.Conv2d):
        return module.out_channels == len(s)
    if module.weight is None or module.bias is None or module.num_features != len(s):
        return False
    # timm's BatchNormAct2d goes on with an activation: s · max(0, y) = max(0, s · y) for s ≥ 0 alone.
    behind = [type(part) for part in (getattr(module, "drop", None), getattr(module, "act", None)) if part is not None]
    passes = {nn.Identity, nn.ReLU} if bool((s >= 0).all()) else {nn.Identity}
    return set(behind) <= passes
