"""Passes that start at a gate: the recorded outputs of modules that ran before it are returned, not computed."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from se_viz.gates.edited_product import maps_of, wide, with_factor
from se_viz.gates.errors import NotReadable
from se_viz.gates.gate import Gate, Layout, ProductTap
from se_viz.gates.trace import first_tensor
from se_viz.interventions.gradients import without_checkpointing
from se_viz.interventions.recorder import RUN_AGAIN, Kept, Output, TensorPosition, copied
from se_viz.types import Args, Classes, Function, Kwargs


class Replay:
    """The network from a gate on, as a function of s; one pass at a time.

    Attributes:
        norms: of each channel of U (N, C), once a pass has been made.

    Args:
        network: the private copy that was recorded; its modules are changed until ``undo``.
        gate: the gate at which passes start.
        kept: the outputs that the ``OutputRecorder`` kept.
        images: the images (N, 3, H, W) of that pass.
        fragile: the result of ``learn`` for other images of the same network, if it was called.
        shared: the kept tensors that are the same for all images; needed for passes of other rows than the images.
    """

    def __init__(
        self,
        network: nn.Module,
        gate: Gate,
        kept: Kept,
        images: Tensor,
        fragile: Collection[Output] = (),
        shared: Collection[TensorPosition] = (),
    ) -> None:
        self._network = network
        self._gate = gate
        self._images = images
        self._kept = kept
        self._rows = torch.arange(len(images))
        self._s: Tensor = torch.empty(0)
        self._position: dict[nn.Module, int] = {}
        # Outputs that later code overwrites, so that a copy must be returned: by module and number.
        self._fragile: set[Output] = set(fragile)
        self._shared = frozenset(shared)
        self._lock = RLock()
        self._applied = False
        self.norms = torch.empty(0)
        self._own: dict[nn.Module, Callable[..., Any] | None] = {}
        self._versions = [(tensor, tensor._version) for tensor in (images, *_tensors(kept.outputs))]
        for module in kept.outputs:
            self._set_forward(module, partial(self._replayed, module, module.forward))
        if gate.product is None:
            unit = network.get_submodule(gate.path)
            self._set_forward(unit, partial(self._gated, unit, unit.forward))

    def __call__(self, s: Tensor, rows: Tensor) -> object:
        """Return the network's output for rows of s.

        Args:
            s: (B, C).
            rows: the image of each row (B,).

        Raises:
            NotReadable: the gate did not run.
        """
        with self._lock, without_checkpointing(), ExitStack() as stack:
            self._s, self._rows, self._position, self._applied = s, rows, {}, False
            if self._gate.product is not None:
                product, calls = self._gate.product, self._kept.calls
                stack.enter_context(_Multiplied(product, self._gate.layout, calls, s, self._note))
            # As it was recorded, unless gradients are asked for: a network may go another way with them.
            stack.enter_context(torch.set_grad_enabled(torch.is_grad_enabled() and s.requires_grad))
            output = self._network(self._of_row(self._images))
            if not self._applied:
                raise NotReadable(
                    f"{self._gate.name} did not run in this pass: the network made other calls than before."
                )
            return output

    @property
    def fragile(self) -> Collection[Output]:
        """Outputs that later code overwrites, by module and number, once ``learn`` was called."""
        return frozenset(self._fragile)

    def is_intact(self) -> bool:
        """Return whether no pass has overwritten a kept output or the images."""
        return all(tensor._version == version for tensor, version in self._versions)

    def undo(self) -> None:
        """Restore the code of the network's modules."""
        for module, forward in self._own.items():
            if forward is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = forward
        self._own.clear()

    def _set_forward(self, module: nn.Module, forward: Callable[..., Any]) -> None:
        self._own.setdefault(module, module.__dict__.get("forward"))
        module.__dict__["forward"] = forward

    def _note(self, maps: Tensor) -> None:
        """Record that s is applied, and the norms of U in the first pass."""
        self._applied = True
        if not len(self.norms):
            self.norms = maps.flatten(2).norm(dim=2) if self._gate.layout == "nchw" else maps.flatten(1, 2).norm(dim=1)

    def learn(self, s: Tensor) -> object:
        """Run a first pass with s as computed (N, C), and find out which kept outputs are overwritten."""
        rows = torch.arange(len(self._images))
        self._fragile = {(module, at) for module, outputs in self._kept.outputs.items() for at in range(len(outputs))}
        shown: dict[Output, list[tuple[Tensor, int]]] = {}
        self._shown = shown
        output = self(s, rows)
        self._fragile = {key for key, tensors in shown.items() if any(t._version != was for t, was in tensors)}
        del self._shown
        return output

    _shown: dict[Output, list[tuple[Tensor, int]]]

    def _of_rows(self, value: Any, module: nn.Module, at: int) -> Any:  # noqa: ANN401 - of any type
        """Return the part of an output, kept of a run of a module, that belongs to the images of the rows."""
        places = count()

        def of(leaf: object) -> object:
            if not isinstance(leaf, Tensor) or (module, at, next(places)) in self._shared or leaf.ndim == 0:
                return leaf
            return self._of_row(leaf)

        return tree_map(of, value)

    def _of_row(self, tensor: Tensor) -> Tensor:
        """Return the part of a tensor, with a part for each image, that belongs to the images of the rows."""
        images, rows = len(self._images), self._rows
        first = int(rows[0])
        if len(rows) == images and bool((rows == torch.arange(images)).all()):
            return tensor
        parts = tensor.reshape(images, len(tensor) // images, *tensor.shape[1:])
        if bool((rows == first).all()):  # without a copy, as most of what is kept is never computed with
            return parts[first : first + 1].expand(len(rows), *parts.shape[1:]).flatten(0, 1)
        return parts[rows.to(tensor.device)].flatten(0, 1)

    def _replayed(self, module: nn.Module, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        at = self._position.get(module, 0)
        self._position[module] = at + 1
        outputs = self._kept.outputs[module]
        if at >= len(outputs) or outputs[at] is RUN_AGAIN:
            return forward(*args, **kwargs)
        given = self._of_rows(outputs[at], module, at)
        if (module, at) in self._fragile:
            given = tree_map(copied, given)
            if "_shown" in self.__dict__:
                tensors = [leaf for leaf in tree_leaves(given) if isinstance(leaf, Tensor)]
                self._shown[module, at] = [(tensor, tensor._version) for tensor in tensors]
        return given

    def _gated(self, unit: nn.Module, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        before = len(self._kept.outputs.get(unit, ()))
        at = self._position.get(unit, 0)
        if at < before:
            return forward(*args, **kwargs)  # which returns what was kept
        self._position[unit] = at + 1
        if at > before:
            return forward(*args, **kwargs)
        maps = first_tensor(args, kwargs)
        self._note(maps)
        return maps * wide(self._s.to(maps.dtype), self._gate.layout)


class _Multiplied(TorchFunctionMode):
    """A mode in which one call multiplies by another s."""

    def __init__(
        self, product: ProductTap, layout: Layout, calls: int, s: Tensor, seen: Callable[[Tensor], None]
    ) -> None:
        super().__init__()
        self._product, self._layout, self._calls, self._s, self._seen = product, layout, calls, s, seen

    def __torch_function__(self, func: Function, types: Classes, args: Args = (), kwargs: Kwargs = None) -> object:
        """Run a function, the gate's own with the s that was given."""
        if func is self._product.call.function:
            self._calls -= 1
            if self._calls == -1:
                self._seen(maps_of(self._product, args, kwargs or {}))
                args, kwargs = with_factor(self._product, self._layout, self._s, args, kwargs or {})
        return func(*args, **(kwargs or {}))


def _tensors(outputs: dict[nn.Module, list[Any]]) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(list(outputs.values())) if isinstance(leaf, Tensor))
