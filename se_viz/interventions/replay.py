"""Passes that start at a gate: outputs of modules that ran before it are kept from one pass and returned in later ones.

When the gate begins, a module of the network has finished, is running, or has not begun. The outputs of the outermost
finished modules are kept. The modules that were running run again, and get these outputs instead of computing them.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from se_viz.gates.capture_buffer import CaptureBuffer
from se_viz.gates.edited_product import maps_of, wide, with_factor
from se_viz.gates.errors import NotReadable
from se_viz.gates.gate import Gate, Layout, ProductTap


@dataclass(slots=True)
class Kept:
    """The outputs of the outermost modules that had finished when the gate began, in order, by module.

    Attributes:
        outputs: copies of the outputs of each module, one for each of its runs.
        calls: number of calls of the gate's multiplication function that are repeated before the gate's own; 0 for a
            gate that is a module.
    """

    outputs: dict[nn.Module, list[Any]] = field(default_factory=dict)
    calls: int = 0


class Recorder(TorchFunctionMode):
    """Records the ``Kept`` outputs in a pass.

    Args:
        network: a private copy, whose modules get hooks for the pass.
        gate: the gate at which later passes start.
    """

    def __init__(self, network: nn.Module, gate: Gate) -> None:
        super().__init__()
        self._network = network
        self._gate = gate
        self._unit = network.get_submodule(gate.path)
        self._function = gate.product.call.function if gate.product else None
        self._sink: CaptureBuffer | None = None
        self._begun = False
        self._unit_runs = 0
        self._calls = 0
        self._finished: list[tuple[nn.Module, Any]] = []
        # Of each run under way: how many outputs were kept and calls made when it began.
        self._open: list[tuple[nn.Module, int, int]] = []

    @contextmanager
    def recording(self, sink: CaptureBuffer) -> Iterator[None]:
        """Record the pass inside the block, in which ``sink`` reads the network."""
        self._sink = sink
        with ExitStack() as stack:
            for module in self._network.modules():
                stack.callback(module.register_forward_pre_hook(self._enter).remove)
                # First, as the hooks of others may hold what comes after them.
                stack.callback(module.register_forward_hook(self._leave, always_call=True).remove)
            yield

    def kept(self) -> Kept | None:
        """Return the recorded outputs; None if the gate did not begin."""
        if not self._begun:
            return None
        kept = Kept(calls=self._calls)
        for module, output in self._finished:
            kept.outputs.setdefault(module, []).append(output)
        return kept

    def _enter(self, module: nn.Module, _args: object) -> None:
        if self._product_read():
            return
        if module is self._unit and self._function is None:
            self._begun = self._unit_runs == self._gate.run
            self._unit_runs += 1
            if self._begun:
                return
        self._open.append((module, len(self._finished), self._calls))

    def _leave(self, module: nn.Module, _args: object, output: object) -> None:
        if self._product_read() or not self._open or self._open[-1][0] is not module:
            return
        _, outputs, self._calls = self._open.pop()
        del self._finished[outputs:]
        # A copy, because later code may overwrite the output.
        self._finished.append((module, tree_map(_copy, output)))

    def _product_read(self) -> bool:
        """Return whether the gate has begun; a watched gate begins when its s is read."""
        if self._function is not None and self._sink is not None and (self._gate.name, "s") in self._sink.kept:
            self._begun = True
        return self._begun

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """Count the calls of the function that multiplies, up to the gate's own."""
        if func is self._function and not self._product_read():
            self._calls += 1
        return func(*args, **(kwargs or {}))


class Replay:
    """The network from a gate on, as a function of s; one pass at a time.

    Attributes:
        norms: of each channel of U (N, C), once a pass has been made.

    Args:
        network: the private copy that was recorded; its modules are changed for good.
        gate: where it begins.
        kept: what the ``Recorder`` noted.
        images: the images (N, 3, H, W) of that pass.
    """

    def __init__(self, network: nn.Module, gate: Gate, kept: Kept, images: Tensor) -> None:
        self._network = network
        self._gate = gate
        self._images = images
        self._kept = kept
        self._rows = torch.arange(len(images))
        self._s: Tensor = torch.empty(0)
        self._position: dict[nn.Module, int] = {}
        # Outputs that later code overwrites, so that a copy must be returned: by module and number.
        self._fragile: set[tuple[nn.Module, int]] = set()
        self._lock = RLock()
        self._applied = False
        self.norms = torch.empty(0)
        for module in kept.outputs:
            _set_forward(module, partial(self._replayed, module, module.forward))
        if gate.product is None:
            unit = network.get_submodule(gate.path)
            _set_forward(unit, partial(self._gated, unit, unit.forward))

    def __call__(self, s: Tensor, rows: Tensor) -> object:
        """Return the network's output for rows of s.

        Args:
            s: (B, C).
            rows: the image of each row (B,).

        Raises:
            NotReadable: the gate did not run.
        """
        with self._lock, ExitStack() as stack:
            self._s, self._rows, self._position, self._applied = s, rows, {}, False
            if self._gate.product is not None:
                product, calls = self._gate.product, self._kept.calls
                stack.enter_context(_Multiplied(product, self._gate.layout, calls, s, self._note))
            # As it was recorded, unless gradients are asked for: a network may go another way with them.
            stack.enter_context(torch.set_grad_enabled(torch.is_grad_enabled() and s.requires_grad))
            output = self._network(self._of_rows(self._images))
            if not self._applied:
                raise NotReadable(
                    f"{self._gate.name} did not run in this pass: the network made other calls than before."
                )
            return output

    def _note(self, maps: Tensor) -> None:
        """Record that s is applied, and the norms of U in the first pass."""
        self._applied = True
        if not len(self.norms):
            self.norms = maps.flatten(2).norm(dim=2) if self._gate.layout == "nchw" else maps.flatten(1, 2).norm(dim=1)

    def learn(self, s: Tensor) -> object:
        """Run a first pass with s as computed (N, C), and find out which kept outputs are overwritten."""
        rows = torch.arange(len(self._images))
        self._fragile = {(module, at) for module, outputs in self._kept.outputs.items() for at in range(len(outputs))}
        shown: dict[tuple[nn.Module, int], list[tuple[Tensor, int]]] = {}
        self._shown = shown
        output = self(s, rows)
        self._fragile = {key for key, tensors in shown.items() if any(t._version != was for t, was in tensors)}
        del self._shown
        return output

    _shown: dict[tuple[nn.Module, int], list[tuple[Tensor, int]]]

    def _of_rows(self, value: Any) -> Any:  # noqa: ANN401 - of any type
        """Return the part of a kept output that belongs to the images of the rows."""
        images, rows = len(self._images), self._rows
        first = int(rows[0])

        def of(tensor: object) -> object:
            if not isinstance(tensor, Tensor) or tensor.ndim == 0 or len(tensor) % images:
                return tensor
            if len(rows) == images and bool((rows == torch.arange(images)).all()):
                return tensor
            parts = tensor.reshape(images, len(tensor) // images, *tensor.shape[1:])
            if bool((rows == first).all()):  # without a copy, as most of what is kept is never computed with
                return parts[first : first + 1].expand(len(rows), *parts.shape[1:]).flatten(0, 1)
            return parts[rows.to(tensor.device)].flatten(0, 1)

        return tree_map(of, value)

    def _replayed(self, module: nn.Module, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        at = self._position.get(module, 0)
        self._position[module] = at + 1
        outputs = self._kept.outputs[module]
        if at >= len(outputs):
            return forward(*args, **kwargs)
        given = self._of_rows(outputs[at])
        if (module, at) in self._fragile:
            given = tree_map(_copy, given)
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
        maps = args[0] if args else next(iter(kwargs.values()))
        self._note(maps)
        return maps * wide(self._s.to(maps.dtype), self._gate.layout)


class _Multiplied(TorchFunctionMode):
    """A mode in which one call multiplies by another s."""

    def __init__(
        self, product: ProductTap, layout: Layout, calls: int, s: Tensor, seen: Callable[[Tensor], None]
    ) -> None:
        super().__init__()
        self._product, self._layout, self._calls, self._s, self._seen = product, layout, calls, s, seen

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """Run a function, the gate's own with the s that was given."""
        if func is self._product.call.function:
            self._calls -= 1
            if self._calls == -1:
                self._seen(maps_of(self._product, args, kwargs or {}))
                args, kwargs = with_factor(self._product, self._layout, self._s, args, kwargs or {})
        return func(*args, **(kwargs or {}))


def _copy(value: object) -> object:
    return value.clone() if isinstance(value, Tensor) else value


def _set_forward(module: nn.Module, forward: Callable[..., Any]) -> None:
    module.__dict__["forward"] = forward
