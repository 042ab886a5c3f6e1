"""The call graph of a forward pass: every torch function that its thread calls, in order, with inputs and outputs.

A ``TorchFunctionMode`` also sees calls in code outside any module, and it applies to one thread only.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter

from se_viz.gates.channel_products import name_of, of_several, overwrites
from se_viz.gates.findings import Findings
from se_viz.gates.known_values import KnownValues
from se_viz.gates.nested_maps import NestedMaps
from se_viz.gates.product_search import ProductSearch
from se_viz.gates.refusals import refuse_tracing
from se_viz.gates.tensor_memory import version
from se_viz.gates.transforms import kernel_of, unmapped
from se_viz.gates.values import Call, Clock, Frame, Value, other_handler
from se_viz.types import Args, Classes, Function, Kwargs
from se_viz.weights.tensor_kinds import with_axes


class CallGraph(TorchFunctionMode):
    """A record of every call of a torch function while the mode is entered.

    Attributes:
        calls: the calls in order, with the frames in which they were made.
        frames: the modules that are running; the hooks that watch the modules keep this list up to date.
        found: what the calls show.

    Args:
        images: the images of the pass (N, 3, H, W).
        parameters: names of the parameters of the network, by identity.
        clock: the time of the pass.
    """

    def __init__(self, images: Tensor, parameters: Mapping[int, str], clock: Clock) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.frames: list[Frame] = []
        self.found = Findings()
        self._clock = clock
        self._values = KnownValues(images, parameters)
        self._search = ProductSearch(len(images), self._values, self.found)
        self._nested = NestedMaps()

    def value(self, tensor: object) -> Value | None:
        """Return what is known of a tensor; None if the pass has not computed it from its images."""
        return self._values.get(tensor)

    def check(self, output: object, inputs: object, frames: tuple[Frame, ...]) -> None:
        """Record a module whose calls are not seen if its output equals its input times a factor per channel."""
        self._search.look_at_module(output, inputs, frames)

    def __torch_function__(self, func: Function, types: Classes, args: Args = (), kwargs: Kwargs = None) -> object:
        """Run a function and record its inputs and outputs."""
        kwargs = kwargs or {}
        if torch.compiler.is_dynamo_compiling():
            refuse_tracing()
        if (handler := other_handler(types)) is not None:
            return self._hand_over(handler, func, types, args, kwargs)
        if (kernel := kernel_of(func)) is not None:
            with self:
                return kernel(*args, **kwargs)
        tensors = [leaf for leaf in tree_iter((args, kwargs)) if isinstance(leaf, Tensor)]
        inputs = [unmapped(tensor) for tensor in with_axes(tensors)]
        known = [value for tensor in inputs if (value := self._known(tensor)) is not None]
        names = tuple(name for tensor in inputs for name in self._values.names(tensor))
        constants = [t.numel() for t in inputs if self._values.get(t) is None and not self._values.names(t)]
        call = Call(
            index=self._clock.tick(),
            function=func,
            frames=tuple(self.frames),
            inputs=tuple(known),
            parameters=names,
            constants=max(constants, default=0),
            between=_keeps_between(func, args, kwargs),
        )
        self.calls.append(call)
        may_write = overwrites(func) or kwargs.get("out") is not None
        inputs_before = [t.clone() for t in inputs] if len(inputs) > 1 and may_write and known else inputs
        versions = [version(t) for t in inputs]
        result = func(*args, **kwargs)
        if len(inputs) < len(tensors) and self._nested.holds_product([*tensors, *tree_iter(result)]):
            self.found.unread.append((call.frames, "nested tensors"))
        written = {id(t) for t, before_call in zip(inputs, versions, strict=True) if version(t) != before_call}
        if not known:
            self._values.note_derived(result, names)
            return result
        outputs = _outputs(func, args, result, [tensor for tensor in inputs if id(tensor) in written])
        self._search.look(call, inputs, inputs_before, outputs, _argument(args, kwargs, 1, "weight"))
        for item, tensor in enumerate(outputs):
            self.found.quantized |= tensor.is_quantized
            self._values.note(call, item, tensor, inputs, written)
        return result

    def _known(self, tensor: Tensor) -> Value | None:
        """Return what is known of a tensor; maps made by a script, whose calls are not seen, are noted as maps."""
        value = self._values.get(tensor) if self._values.names(tensor) else self._values.find(tensor)
        if value is None and self._values.may_be_map(tensor):
            self._search.look_at_unseen(tensor, tuple(self.frames))
            value = self._values.note_map(tensor)
        return value

    def _hand_over(self, handler: Function, *call: object) -> object:
        """Let an object that is no tensor handle a call; the calls that it makes are seen."""
        with self:
            return handler(*call)


def _outputs(func: Function, args: tuple[Any, ...], result: object, written: list[Tensor]) -> list[Tensor]:
    """Return the tensors that a call has returned, or written to."""
    if result is None and not of_several(func) and func is not Tensor.__setitem__:
        return written
    listed = func is Tensor.__setitem__ or result is None
    return [unmapped(tensor) for tensor in with_axes(args[0] if listed else result)]


def _argument(args: tuple[Any, ...], kwargs: Mapping[str, Any], at: int, name: str) -> Any:  # noqa: ANN401 - of any type
    return args[at] if len(args) > at else kwargs.get(name)


def _keeps_between(function: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Return whether a call clamps from both sides; a clamp from one side is a guard against division by zero."""
    bounds = [*args[1:], *kwargs.values()]
    return name_of(function) in ("clamp", "clip") and sum(bound is not None for bound in bounds) > 1
