"""Hooks on every gate of a network, silent unless the running thread has asked for a reading.

A hook writes to a sink found in a context variable, so threads that share a network never see each other's values,
and it returns None, so the network computes what it would without it. It writes copies, as what it is shown may be
overwritten by what follows: an activation in place, ``x.mul_(s)``, ``x += shortcut``.
"""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from se_viz.gates.errors import NotReadable
from se_viz.gates.gate import Gate, Tap
from se_viz.gates.mode import evaluating
from se_viz.gates.shared import SharedContext

_U, _X = Tap("", "input"), Tap("", "output")


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """Where one value of one gate is read."""

    gate: Gate
    tap: Tap


@dataclass(slots=True)
class Sink:
    """What one forward pass of one thread reads, as the gates computed it; maps only of the gates in ``maps``."""

    instrument: "Instrument"
    maps: frozenset[str]
    kept: dict[Spot, Tensor] = field(default_factory=dict)


_sink: ContextVar[Sink | None] = ContextVar("se_viz_sink", default=None)


class Instrument:
    """A network and its gates, ready to be read by any number of threads.

    Hooks and eval mode are shared: they come with the first reader and go with the last, and a network that a page
    keeps holds them for its life. The hooks for maps come and go apart, as most readings want none and a hook that
    does nothing still takes its time.

    Attributes:
        network, gates: what is read.
        spots: of z and s of each gate, in execution order.
        map_spots: of U and X̃ of each gate.
    """

    def __init__(self, network: nn.Module, gates: tuple[Gate, ...]) -> None:
        self.network = network
        self.gates = gates
        self.spots = [Spot(gate, tap) for gate in gates for tap in (gate.z_tap, gate.s_tap)]
        self.map_spots = [Spot(gate, tap) for gate in gates for tap in (_U, _X)]
        self._tapped = SharedContext()
        self._mapped = SharedContext()

    def attached(self) -> AbstractContextManager[None]:
        """Hold the network ready to be read: in eval mode, with hooks."""
        return self._tapped.hold(partial(self._hooked, self.spots))

    @contextmanager
    def reading(self, maps: frozenset[str]) -> Iterator[Sink]:
        """A sink that the forward pass this thread makes inside the block fills: z and s, and U and X̃ of ``maps``.

        Raises:
            NotReadable: somebody called ``network.train()`` while the network was held in eval mode.
        """
        sink = Sink(self, maps)
        mapped = self._mapped.hold(partial(self._hooked, self.map_spots)) if maps else nullcontext()
        with self.attached(), mapped:
            if self.network.training:
                raise NotReadable("This network was put in train mode while it is being read: call eval() on it.")
            token = _sink.set(sink)
            try:
                yield sink
            finally:
                _sink.reset(token)

    @contextmanager
    def _hooked(self, spots: list[Spot]) -> Iterator[None]:
        with evaluating(self.network), ExitStack() as stack:
            for spot in spots:
                stack.callback(self._hook(spot).remove)
            yield

    def _hook(self, spot: Spot) -> RemovableHandle:
        name, is_map = spot.gate.name, spot.tap in (_U, _X)

        def keep(_module: nn.Module, args: tuple[Tensor, ...], output: Tensor | None = None) -> None:
            sink = _sink.get()
            if sink is None or sink.instrument is not self or (is_map and name not in sink.maps):
                return
            if spot not in sink.kept:  # a part that runs twice is read at its first run
                sink.kept[spot] = (args[0] if output is None else output).clone()

        part = self.network.get_submodule(spot.gate.path).get_submodule(spot.tap.path)
        return part.register_forward_pre_hook(keep) if spot.tap.side == "input" else part.register_forward_hook(keep)


def unhooked(network: nn.Module) -> nn.Module:
    """A copy of a network, weights and all, without the hooks of any instrument; those of others are kept."""
    bare = copy.deepcopy(network)
    for module in bare.modules():
        for hooks in (module._forward_hooks, module._forward_pre_hooks):
            for number, hook in list(hooks.items()):
                if hook.__module__ == __name__:
                    del hooks[number]
    return bare
