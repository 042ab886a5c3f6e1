"""Outputs of the modules that ran before a gate, recorded in one pass for passes that start at the gate.

When the gate begins, a module of the network has finished, is running, or has not begun. The outputs of the outermost
finished modules are kept. The modules that were running run again, and get these outputs instead of computing them.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from se_viz.gates.capture_buffer import CaptureBuffer
from se_viz.gates.gate import Gate
from se_viz.types import Args, Classes, Function, Kwargs
from se_viz.weights.tensor_kinds import is_dense

# Which run of which module an output is of, and which of its tensors is meant.
Output: TypeAlias = tuple[nn.Module, int]
TensorPosition: TypeAlias = tuple[nn.Module, int, int]


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


def shared_parts(
    first: Kept, second: Kept | None, first_images: int, second_images: int
) -> frozenset[TensorPosition] | None:
    """Return the kept tensors that are the same for all images, as a table of positions, told by another recording.

    A tensor whose length grows with the number of images has a part for each image; its length alone does not tell.

    Args:
        first, second: recordings of passes of ``first_images`` and of ``second_images`` images, another number.

    Returns:
        The tensors by module, number of its run, and number in the output; None if the recordings differ otherwise.
    """
    if second is None or {m: len(runs) for m, runs in first.outputs.items()} != {
        m: len(runs) for m, runs in second.outputs.items()
    }:
        return None
    shared: set[TensorPosition] = set()
    for module, runs in first.outputs.items():
        for at, pair in enumerate(zip(runs, second.outputs[module], strict=True)):
            tensors = [[leaf for leaf in tree_leaves(one) if isinstance(leaf, Tensor)] for one in pair]
            if len(tensors[0]) != len(tensors[1]):
                return None
            for place, (one, same) in enumerate(zip(*tensors, strict=True)):
                if one.shape[:1] == same.shape[:1]:
                    shared.add((module, at, place))
                elif len(one) * second_images != len(same) * first_images:
                    return None
    return frozenset(shared)


RUN_AGAIN = object()
"""Kept in place of an output that is sparse or nested: the module runs again, with the kept outputs of its parts."""


class Reached(Exception):
    """Raised at the beginning of a gate to end a pass that is recorded up to there."""


class OutputRecorder(TorchFunctionMode):
    """Records the ``Kept`` outputs in a pass.

    Args:
        network: a private copy, whose modules get hooks for the pass.
        gate: the gate at which later passes start.
        stop: whether to raise ``Reached`` when the gate, which must be a module, begins.
    """

    def __init__(self, network: nn.Module, gate: Gate, *, stop: bool = False) -> None:
        super().__init__()
        self._network = network
        self._gate = gate
        self._stop = stop
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
    def recording(self, sink: CaptureBuffer | None) -> Iterator[None]:
        """Record the pass inside the block, read by ``sink``, which only a watched gate needs."""
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
            if self._begun and self._stop:
                raise Reached
            if self._begun:
                return
        self._open.append((module, len(self._finished), self._calls))

    def _leave(self, module: nn.Module, _args: object, output: object) -> None:
        if self._product_read() or not self._open or self._open[-1][0] is not module:
            return
        if not all(is_dense(leaf) for leaf in tree_leaves(output) if isinstance(leaf, Tensor)):
            # Such an output has no part for each image that could be taken, so the module runs again.
            self._open.pop()
            self._finished.append((module, RUN_AGAIN))
            return
        _, outputs, self._calls = self._open.pop()
        del self._finished[outputs:]
        # A copy, because later code may overwrite the output.
        self._finished.append((module, tree_map(copied, output)))

    def _product_read(self) -> bool:
        """Return whether the gate has begun; a watched gate begins when its s is read."""
        if self._function is not None and self._sink is not None and (self._gate.name, "s") in self._sink.kept:
            self._begun = True
        return self._begun

    def __torch_function__(self, func: Function, types: Classes, args: Args = (), kwargs: Kwargs = None) -> object:
        """Count the calls of the function that multiplies, up to the gate's own."""
        if func is self._function and not self._product_read():
            self._calls += 1
        return func(*args, **(kwargs or {}))


def copied(value: object) -> object:
    """Return a copy of a tensor, which may take part in gradients; any other value as it is."""
    if not isinstance(value, Tensor):
        return value
    with torch.inference_mode(False):
        return value.clone()
