"""What ran in a pass before a gate began, noted for passes that start at the gate.

In a pass through the network a module is either over before the gate begins, or under way, or it begins later. Of those
that are over, the outermost are kept: their parents run again, and ask for what was kept instead of computing it.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from se_viz.gates.capture_buffer import CaptureBuffer
from se_viz.gates.gate import Gate

# Which run of which module an output is of.
Output: TypeAlias = tuple[nn.Module, int]


@dataclass(slots=True)
class Kept:
    """What the outermost modules returned that were over before the gate began, in order, by module.

    Attributes:
        outputs: copies of what each returned, once for each of its runs.
        calls: calls of the gate's multiplication function that are made again before the gate's own; a gate that is a
            module needs no count.
    """

    outputs: dict[nn.Module, list[Any]] = field(default_factory=dict)
    calls: int = 0


class Reached(Exception):
    """Ends a pass that is recorded up to a gate, where the gate begins."""


class Recorder(TorchFunctionMode):
    """Notes in a pass what ``Kept`` needs.

    Args:
        network: a private copy, whose modules get hooks for the pass.
        gate: where the later passes begin.
        stop: raise ``Reached`` where the gate, which must be a module, begins.
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
        """Note what runs inside the block, in which ``sink`` reads the network; a gate that is a module needs none."""
        self._sink = sink
        with ExitStack() as stack:
            for module in self._network.modules():
                stack.callback(module.register_forward_pre_hook(self._enter).remove)
                # First, as the hooks of others may hold what comes after them.
                stack.callback(module.register_forward_hook(self._leave, always_call=True).remove)
            yield

    def kept(self) -> Kept | None:
        """What was noted; None where the gate did not begin."""
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
        _, outputs, self._calls = self._open.pop()
        del self._finished[outputs:]
        # A copy, as what comes next may write over it.
        self._finished.append((module, tree_map(copied, output)))

    def _product_read(self) -> bool:
        """Whether the gate has begun; one that is no module has as soon as its s is read."""
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


def copied(value: object) -> object:
    """Return a copy of a tensor; anything else as it is."""
    return value.clone() if isinstance(value, Tensor) else value
