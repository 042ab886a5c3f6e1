"""The maps U and X̃ of a gate in one pass, with the gradients of what uses them.

A call may write X̃ into a view of other maps, such as some of their rows. What comes after then uses these maps, and no
longer the view, so that the gradient is that part of theirs.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from se_viz.gates.errors import NotReadable
from se_viz.gates.gate import Gate

_NO_USE = "the logit does not depend on its maps, or the network uses them in a way that gradients do not show."


@dataclass(slots=True)
class Maps:
    """Maps of one pass (N, C, H, W), and the gradient with respect to them once it is computed.

    Attributes:
        value: a copy of the maps.
        gradient: gradient of what uses the tensor itself.
        of_memory: gradient of all that uses the memory of a tensor that is a view.
        is_view: whether the tensor is a view.
        written: whether the product is written into a view: what uses the memory afterwards then counts, too.
    """

    value: Tensor
    is_view: bool
    gradient: Tensor | None = None
    of_memory: Tensor | None = None
    written: bool = False

    @classmethod
    def of(cls, tensor: Tensor, gate: Gate) -> "Maps":
        """Copy a tensor of the pass before it can be overwritten."""
        if not tensor.requires_grad:
            raise NotReadable(f"No gradient reaches {gate.name}: the network computes its maps without gradients.")
        base = tensor._base
        maps = cls(tensor.detach().clone(), base is not None)
        # A hook gets the gradient by the values that the tensor has when it is put on.
        tensor.register_hook(maps.add)
        if base is not None and base.requires_grad and base.dtype == tensor.dtype:
            base.register_hook(partial(maps.add_of_memory, _MemoryView.of(tensor, base)))
        return maps

    def add(self, gradient: Tensor) -> None:
        """Record the gradient."""
        self.gradient = gradient.detach().clone()

    def add_of_memory(self, part: "_MemoryView", gradient: Tensor) -> None:
        """Record the part of the gradient by the tensor of which these maps are a view."""
        self.of_memory = part.taken_from(gradient.detach())

    def activation(self, gate: Gate) -> Tensor:
        """Σ_c mean_hw(∂f/∂A_c) · A_c, (N, H, W).

        Raises:
            NotReadable: the logit does not depend on the maps, as far as the gradients show.
        """
        gradient = self.of_memory if self.written else self.gradient
        if gradient is None:
            raise NotReadable(f"No gradient reaches {gate.name}: {_NO_USE}")
        pixels, channel = ((2, 3), 1) if gate.layout == "nchw" else ((1, 2), 3)
        return (gradient.float().mean(pixels, keepdim=True) * self.value.float()).sum(channel)


@dataclass(frozen=True, slots=True)
class _MemoryView:
    """The place of a view in the memory of a tensor."""

    whole: tuple[torch.Size, tuple[int, ...]]
    view: tuple[torch.Size, tuple[int, ...], int]

    @classmethod
    def of(cls, view: Tensor, base: Tensor) -> "_MemoryView":
        """Return where a view lies in a tensor."""
        offset = int(view.storage_offset() - base.storage_offset())
        return cls((base.shape, base.stride()), (view.shape, view.stride(), offset))

    def taken_from(self, gradient: Tensor) -> Tensor:
        """Return this part of a tensor with the shape of the whole one, which may lie otherwise in memory."""
        same = torch.empty_strided(*self.whole, dtype=gradient.dtype, device=gradient.device).copy_(gradient)
        return same.as_strided(*self.view)


class MapsOfPass:
    """U and X̃ of one gate in one pass."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.u: Maps | None = None
        self.x: Maps | None = None

    def take(self, maps: object) -> None:
        """Record U, at the gate's first run."""
        if self.u is None and isinstance(maps, Tensor):
            self.u = Maps.of(maps, self.gate)

    def give(self, maps: object) -> None:
        """Record X̃, at the gate's first run."""
        if self.u is not None and self.x is None and isinstance(maps, Tensor):
            self.x = Maps.of(maps, self.gate)

    def in_place(self, *, of_u: bool) -> None:
        """Record that the call wrote X̃ into a tensor that it took; ``of_u``: into U."""
        for maps in (self.x, self.u if of_u else None):
            if maps is not None:
                maps.written = maps.is_view
