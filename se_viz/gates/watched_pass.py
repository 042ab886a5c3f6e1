"""Reading of gates that are not modules, in the pass that multiplies by their s."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter

from se_viz.gates.capture_buffer import CaptureBuffer
from se_viz.gates.channel_products import factor_of, is_multiplication
from se_viz.gates.edited_product import wide, with_factor
from se_viz.gates.gate import CallTap, Gate
from se_viz.gates.transforms import higher_order_operators, kernel_of, unmapped
from se_viz.gates.values import Frame, other_handler
from se_viz.types import Args, Classes, Function, Kwargs

_CallKey: TypeAlias = tuple[str, int, Callable[..., Any], int]


class WatchedCalls:
    """The calls at which gates are read, by module run, function and ordinal.

    Attributes:
        owners: paths of the modules that make these calls.
        functions: the called functions.
    """

    def __init__(self, gates: Sequence[Gate]) -> None:
        self._z: dict[_CallKey, list[Gate]] = {}
        self._products: dict[_CallKey, list[Gate]] = {}
        for gate in gates:
            if gate.z_call is not None:
                self._z.setdefault(_place(gate.z_call), []).append(gate)
            if gate.product is not None:
                self._products.setdefault(_place(gate.product.call), []).append(gate)
        places = [*self._z, *self._products]
        self.owners = frozenset(path for path, *_ in places)
        functions = frozenset(function for _, _, function, _ in places)
        # The calls of functions that an operator runs are seen only if the mode runs them itself.
        self.functions = functions | higher_order_operators() if functions else functions

    def squeezes(self, place: _CallKey) -> Sequence[Gate]:
        """Return the gates whose z a call returns."""
        return self._z.get(place, ())

    def products(self, place: _CallKey) -> Sequence[Gate]:
        """Return the gates whose U and s a call multiplies."""
        return self._products.get(place, ())


class Watch(TorchFunctionMode):
    """A mode that sees every torch function its thread calls, and reads gates at the known calls."""

    def __init__(self, calls: WatchedCalls, sink: CaptureBuffer) -> None:
        super().__init__()
        self._calls = calls
        self._functions = calls.functions
        self._sink = sink

    def __torch_function__(self, func: Function, types: Classes, args: Args = (), kwargs: Kwargs = None) -> object:
        """Run a function, and read its inputs and outputs if the call is one of those."""
        if types and (handler := other_handler(types)) is not None:
            with self:
                return handler(func, types, args, kwargs or {})
        if func not in self._functions:
            return func(*args, **kwargs) if kwargs else func(*args)
        kwargs = kwargs or {}
        if (kernel := kernel_of(func)) is not None:
            with self:
                return kernel(*args, **kwargs)
        sink = self._sink
        frame = sink.innermost(self._calls.owners) or Frame("", 0)
        number = sink.counts.get((frame, func), 0)
        sink.counts[frame, func] = number + 1
        place = (*frame, func, number)
        products = self._calls.products(place)
        if products:
            inputs = _tensors((args, kwargs))
            for gate in products:
                self._read_factors(gate, inputs)
                s = sink.kept.get((gate.name, "s"))
                if gate.name in sink.edits and gate.name not in sink.applied and s is not None and gate.product:
                    args, kwargs = with_factor(gate.product, gate.layout, sink.replace(gate.name, s), args, kwargs)
        result = func(*args, **kwargs)
        for gate in products:
            self._read_result(gate, func, args[0] if result is None else result)
        for gate in self._calls.squeezes(place):
            outputs = _tensors(result)
            if gate.z_call is not None and gate.z_call.item < len(outputs):
                sink.keep((gate.name, "z"), outputs[gate.z_call.item])
        return result

    def _read_factors(self, gate: Gate, inputs: Sequence[Tensor]) -> None:
        tap = gate.product
        if tap is None or max(tap.u, tap.s) >= len(inputs):
            return
        maps = inputs[tap.u]
        factor = factor_of(inputs[tap.s], maps.shape, gate.layout) if maps.ndim == 4 else None
        if factor is not None:
            self._sink.keep((gate.name, "s"), 1 / factor if tap.divides else factor)
            self._sink.keep((gate.name, "u"), maps)

    def _read_result(self, gate: Gate, func: Callable[..., Any], result: object) -> None:
        if gate.name not in self._sink.maps:
            return
        if not is_multiplication(func):
            # With an addition in the same call, X̃ does not exist as a separate tensor.
            u, s = (self._sink.kept.get((gate.name, what)) for what in ("u", "s"))
            if u is not None and s is not None:
                self._sink.keep((gate.name, "x"), u * wide(self._sink.applied.get(gate.name, s), gate.layout))
            return
        outputs = _tensors(result)
        if gate.product is not None and gate.product.item < len(outputs):
            self._sink.keep((gate.name, "x"), outputs[gate.product.item])


def _tensors(values: object) -> list[Tensor]:
    """Return the tensors in containers of any depth, out of the transforms of ``torch.func``."""
    return [unmapped(value) for value in tree_iter(values) if isinstance(value, Tensor)]


def _place(call: CallTap) -> _CallKey:
    return call.path, call.run, call.function, call.ordinal
