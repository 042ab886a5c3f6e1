"""Hooks on every gate of a network that record values only if the running thread has requested a capture.

A hook writes to a sink that it finds in a context variable, so threads that share a network never see each other's
values. It returns None, so it does not change what the network computes. It writes copies, because later operations may
overwrite the values: an activation in place, ``x.mul_(s)``, ``x += shortcut``. Gates that are not modules are read by a
mode that sees every torch function that the thread calls.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from torch import Tensor, nn

from se_viz.gates.capture_buffer import CaptureBuffer, Key, Replacement, What
from se_viz.gates.clone import clone_sharing_weights
from se_viz.gates.edited_product import put_edit_hooks
from se_viz.gates.errors import GatesChanged, NotReadable
from se_viz.gates.eval_mode import hold_eval_mode
from se_viz.gates.gate import Gate, TapPoint
from se_viz.gates.shared_context import SharedContext
from se_viz.gates.tables import TableKey
from se_viz.gates.tap_hooks import SinkOf, Users, input_hook, keep_for, must_come_first, output_hook
from se_viz.gates.value_places import ValuePlacesPool
from se_viz.gates.watched_pass import Watch, WatchedCalls

_U, _X = TapPoint("", "input"), TapPoint("", "output")

_sink: ContextVar[CaptureBuffer | None] = ContextVar("se_viz_sink", default=None)


@dataclass(frozen=True, slots=True)
class _Submodule:
    """The state of a module when the instrument was made, to detect that it was replaced or changed."""

    gate: Gate
    module: nn.Module
    kind: type[nn.Module]
    parts: dict[str, nn.Module | None]
    functions: tuple[tuple[str, object], ...]

    def is_as_found(self) -> bool:
        module = self.module
        own = module.__dict__
        return (
            type(module) is self.kind
            and module._modules == self.parts
            and all(own.get(name) is function for name, function in self.functions)
        )


class Instrument:
    """A network and its gates, ready to be read by any number of threads.

    All readers share the hooks and the eval mode: the first reader sets them and the last one removes them. A page that
    keeps a network holds them as long as it keeps the network. The hooks for maps are added and removed separately,
    because most captures need no maps and even a hook that does nothing takes time.

    Attributes:
        network, gates: the network and the gates that are read.
        value_places: memory for the values of passes.
    """

    def __init__(self, network: nn.Module, gates: tuple[Gate, ...]) -> None:
        self.network = network
        self.gates = gates
        self._calls = WatchedCalls(gates)
        self._parts = [part for gate in gates for part in _parts_of(network, gate)]
        # The hooks that read outputs; they must run after the hooks of others, see ``_tap``.
        self._last: dict[nn.Module, int] = {}
        self._tapped = SharedContext()
        self._mapped = SharedContext()
        # What passes with edits have found out about the gates, see ``put_edit_hooks``.
        self._intact: dict[str, bool] = {}
        self._direct: dict[str, bool] = {}
        self.value_places = ValuePlacesPool(gates)
        # One for each gate, as most edits are of one gate and a hook that does nothing takes time.
        self._edited = {gate.name: (gate, SharedContext()) for gate in gates}
        # Modules that the network runs in other threads find no sink there, so each capture uses a separate clone.
        self._threaded = any(gate.threaded for gate in gates)

    def gate(self, name: str) -> Gate:
        """Return a gate by its name, for instance "SE_4_2".

        Raises:
            KeyError: no gate has this name; the message lists the names.
        """
        for gate in self.gates:
            if gate.name == name:
                return gate
        raise KeyError(f"There is no gate {name!r}: choose one of {', '.join(gate.name for gate in self.gates)}.")

    def attached(self) -> AbstractContextManager[None]:
        """Keep the network ready to be read, in eval mode and with hooks, while the context is held."""
        return self._tapped.hold(partial(self._hooked, self.network, ("z", "s"), _sink.get))

    def is_as_found(self) -> bool:
        """Return whether the modules of all gates are unchanged since the gates were found."""
        return all(part.is_as_found() for part in self._parts)

    @contextmanager
    def capturing(
        self,
        maps: frozenset[str],
        edits: Mapping[str, Replacement] | None = None,
        start: int = 0,
        places: Mapping[TableKey, Tensor] | None = None,
    ) -> Iterator[CaptureBuffer]:
        """Give a sink that a pass of ``sink.network`` inside the block fills with z and s, and U and X̃ of ``maps``.

        Values that have places are copied there and not to new tensors.

        Raises:
            NotReadable: ``network.train()`` was called while the network was kept in eval mode.
            GatesChanged: the modules of a gate have changed since it was found.
        """
        changed = next((part.gate for part in self._parts if not part.is_as_found()), None)
        if changed is not None:
            raise GatesChanged(
                f"{changed.name} at {changed.path} has changed since it was found. Make a new Model of the network, or "
                f"pass the network itself, whose gates are then found again."
            )
        if self._threaded:
            with hold_eval_mode(self.network):
                clone = clone_sharing_weights(self.network)
            sink = CaptureBuffer(self, clone, maps, edits or {}, start)
            with (
                self._hooked(clone, ("z", "s", "u", "x"), lambda: sink),
                self._editing(clone, self.gates, lambda: sink) if edits else nullcontext(),
                self._watching(sink),
            ):
                yield sink
            return
        sink = CaptureBuffer(self, self.network, maps, edits or {}, start, places or {})
        mapped = (
            self._mapped.hold(partial(self._hooked, self.network, ("u", "x"), _sink.get)) if maps else nullcontext()
        )
        with self.attached(), mapped, ExitStack() as edited:
            indirect = [name for name in sink.edits if name in self._edited and not self._direct.get(name)]
            for gate, hooks in map(self._edited.__getitem__, indirect):
                edited.enter_context(hooks.hold(partial(self._editing, self.network, (gate,), _sink.get)))
            if self.network.training:
                raise NotReadable("This network was put in train mode while it was being read: call eval() on it.")
            self._come_last()
            token = _sink.set(sink)
            try:
                with self._watching(sink):
                    yield sink
            finally:
                _sink.reset(token)

    @contextmanager
    def _editing(self, network: nn.Module, gates: tuple[Gate, ...], sink_of: SinkOf) -> Iterator[None]:
        """Keep hooks on gates that are modules, which replace s; gates that are watched are edited by the watch."""
        with ExitStack() as stack:
            for gate in gates:
                if gate.s_tap is not None:
                    unit = network.get_submodule(gate.path)
                    put_edit_hooks(unit, gate, stack, sink_of, self, self._intact, self._direct)
            yield

    def _come_last(self) -> None:
        """Move the hooks that read outputs behind the hooks that were added later."""
        for part, number in list(self._last.items()):
            hooks = part._forward_hooks
            if len(hooks) > 1 and number in hooks and next(reversed(hooks)) != number:
                cast("OrderedDict[int, Any]", hooks).move_to_end(number)

    def _watching(self, sink: CaptureBuffer) -> AbstractContextManager[object]:
        return Watch(self._calls, sink) if self._calls.functions else nullcontext()

    @contextmanager
    def _hooked(self, network: nn.Module, values: tuple[What, ...], sink_of: SinkOf) -> Iterator[None]:
        """Keep the network in eval mode with the hooks for some values of all gates."""
        with hold_eval_mode(network), ExitStack() as stack:
            if "s" in values:
                self._tell_apart(network, stack, sink_of)
            taps: dict[tuple[nn.Module, str], list[tuple[Gate, Key]]] = {}
            for gate in self.gates:
                for what, tap in (("z", gate.z_tap), ("s", gate.s_tap), ("u", _U), ("x", _X)):
                    if what in values and tap is not None and gate.s_tap is not None:
                        part = network.get_submodule(gate.path).get_submodule(tap.path)
                        taps.setdefault((part, tap.side), []).append((gate, (gate.name, what)))
            for (part, side), users in taps.items():
                self._tap(part, side, users, stack, sink_of)
            yield

    def _tell_apart(self, network: nn.Module, stack: ExitStack, sink_of: SinkOf) -> None:
        """Record the runs of modules whose calls are watched, and of gates whose parts also run for others."""
        paths = self._calls.owners | {gate.path for gate in self.gates if gate.scoped}
        for path in paths:

            def begin(_module: nn.Module, _args: object, path: str = path) -> None:
                sink = sink_of()
                if sink is not None and sink.owner is self:
                    sink.begin(path)

            def end(_module: nn.Module, _args: object, _output: object, path: str = path) -> None:
                sink = sink_of()
                if sink is not None and sink.owner is self:
                    sink.end(path)

            module = network.get_submodule(path)
            # Not before the hooks of others, whose calls count for the caller, as in the search.
            stack.callback(module.register_forward_pre_hook(begin).remove)
            stack.callback(module.register_forward_hook(end, always_call=True).remove)

    def _tap(self, part: nn.Module, side: str, users: Users, stack: ExitStack, sink_of: SinkOf) -> None:
        """Add the hook that keeps the input or the output of a module."""
        keep = keep_for(users, self, sink_of)
        if side == "input":
            stack.callback(part.register_forward_pre_hook(input_hook(keep), with_kwargs=True).remove)
            return
        first = must_come_first(users)
        hook = output_hook(keep, users, self, sink_of, self._direct)
        handle = part.register_forward_hook(hook, prepend=first)
        stack.callback(handle.remove)
        if sink_of == _sink.get and not first:
            self._last[part] = handle.id
            stack.callback(self._last.pop, part, None)


def _parts_of(network: nn.Module, gate: Gate) -> Iterator[_Submodule]:
    """Yield the module of a gate and the modules inside it on the paths to its taps."""
    unit = network.get_submodule(gate.path)
    paths = {""}
    for tap in filter(None, (gate.z_tap, gate.s_tap)):
        names = tap.path.split(".")
        paths |= {".".join(names[:end]) for end in range(1, len(names))}
    for path in sorted(paths):
        module = unit.get_submodule(path)
        yield _Submodule(gate, module, type(module), dict(module._modules), _functions(module))


def _functions(module: nn.Module) -> tuple[tuple[str, object], ...]:
    """Return the callables that were set on a module by name, such as a gate function or a replaced ``forward``."""
    given = {name: value for name, value in vars(module).items() if callable(value)}
    return tuple({"forward": None, **given}.items())
