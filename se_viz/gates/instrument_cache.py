"""A cache of the instruments of networks that are captured directly, without a ``Model`` that keeps one."""

from dataclasses import dataclass
from threading import RLock
from typing import TypeAlias
from weakref import WeakKeyDictionary, ref

from torch import nn

from se_viz.gates.errors import NotAnImageModel
from se_viz.gates.find import find_gates
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.refusals import check_readable
from se_viz.gates.trace import Size

_Modules: TypeAlias = tuple[tuple[str, ref[nn.Module]], ...]


@dataclass(slots=True)
class _Known:
    """The gates that were found in a network; nothing here keeps the network alive."""

    modules: _Modules
    gates: tuple[Gate, ...]
    instrument: ref[Instrument]


_known: WeakKeyDictionary[nn.Module, _Known] = WeakKeyDictionary()
# Reentrant, because the hooks of a network may capture another network while its gates are found.
_lock = RLock()


def instrument_of(network: nn.Module, size: Size) -> Instrument:
    """Return the instrument that all running captures of a network share, so that its hooks are added only once.

    Gates are found at the first call, and again if a module of the network has been replaced. ``size`` is the size of
    the current images, used if the network takes no other.
    """
    check_readable(network)
    modules = tuple((path, ref(module)) for path, module in network.named_modules())
    with _lock:
        known = _known.get(network)
        instrument = known.instrument() if known is not None and known.modules == modules else None
        found = known is not None and known.modules == modules
        if instrument is not None and not instrument.is_as_found():
            instrument, found = None, False
        if instrument is None:
            gates = known.gates if known is not None and found else _find(network, size)
            instrument = Instrument(network, gates)
            _known[network] = _Known(modules, gates, ref(instrument))
        return instrument


def forget(network: nn.Module) -> None:
    """Drop the gates of a network, so that they are found again at its next capture."""
    with _lock:
        _known.pop(network, None)


def _find(network: nn.Module, size: Size) -> tuple[Gate, ...]:
    try:
        return find_gates(network)
    except NotAnImageModel:
        return find_gates(network, size)
