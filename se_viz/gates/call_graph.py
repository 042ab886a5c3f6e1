"""The call graph of a forward pass: every torch function that its thread calls, in order, with inputs and outputs.

A ``TorchFunctionMode`` also sees calls in code outside any module, and it applies to one thread only.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter
from torch.utils.weak import WeakTensorKeyDictionary

from se_viz.gates.aliases import Aliases
from se_viz.gates.channel_products import (
    WITH_ADDITION,
    Product,
    find_product,
    has_other_axes,
    is_convolution,
    is_plain,
    is_scaled,
    may_multiply,
    mixes,
    name_of,
    of_several,
    overwrites,
)
from se_viz.gates.excitation import Excitation, follow
from se_viz.gates.nested_maps import NestedMaps
from se_viz.gates.refusals import refuse_tracing
from se_viz.gates.values import Call, Clock, Frame, Function, Value, other_handler
from se_viz.weights.tensor_kinds import with_axes

# Functions that return the same numbers in other memory, or in another type.
_COPYING = frozenset({"contiguous", "clone", "to", "float", "half", "bfloat16", "double", "detach", "type", "dropout"})


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A call that multiplied maps by one factor per channel, with the maps and the way the factor was computed."""

    call: Call
    product: Product
    excitation: Excitation
    u: Value


class CallGraph(TorchFunctionMode):
    """A record of every call of a torch function while the mode is entered.

    Attributes:
        calls: the calls in order, with the frames in which they were made.
        frames: the modules that are running; the hooks that watch the modules keep this list up to date.
        events: the calls that multiplied maps by one factor per channel.
        other_axes: calls that did so with maps that do not have four axes.
        unread: the cases in which maps equal other maps times one factor per channel, but the computation cannot be
            read: the frames that were running, and the name of the call ("" if no call was seen).
        kernels: convolutions whose weights were computed from the images.
        quantized: whether a quantised tensor was seen.
    """

    def __init__(self, images: Tensor, parameters: Mapping[int, str], clock: Clock) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.frames: list[Frame] = []
        self.events: list[Event] = []
        self.other_axes: list[Call] = []
        self.unread: list[tuple[tuple[Frame, ...], str]] = []
        self.kernels: list[Call] = []
        self.quantized = False
        self._count = len(images)
        self._parameters = parameters
        self._clock = clock
        # Weak references, so that no feature map lives longer than in a pass that is not watched.
        self._values = WeakTensorKeyDictionary()
        source = Value(None, 0, images.shape, is_map=True, source=None, data=None)
        self._values[images] = source
        self._nested = NestedMaps()
        self._aliases = Aliases()
        self._aliases.note(images, source)
        self._derived = WeakTensorKeyDictionary()
        self._slices: dict[tuple[object, ...], Value] = {}

    def value(self, tensor: object) -> Value | None:
        """Return what is known of a tensor; None if the pass has not computed it from its images."""
        return self._values.get(tensor) if isinstance(tensor, Tensor) else None

    def __torch_function__(
        self, func: Function, types: Collection[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - the result of any function
        """Run a function and record its inputs and outputs."""
        kwargs = kwargs or {}
        if torch.compiler.is_dynamo_compiling():
            refuse_tracing()
        if (handler := other_handler(types)) is not None:
            return self._hand_over(handler, func, types, args, kwargs)
        tensors = [leaf for leaf in tree_iter((args, kwargs)) if isinstance(leaf, Tensor)]
        taken = with_axes(tensors)
        known = [value for tensor in taken if (value := self._known(tensor)) is not None]
        names = tuple(name for tensor in taken for name in self._names(tensor))
        constants = [t.numel() for t in taken if self._values.get(t) is None and not self._names(t)]
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
        multiplies = may_multiply(func)
        before = [t.clone() for t in taken] if len(taken) > 1 and may_write and multiplies else taken
        versions = [_version(t) for t in taken]
        result = func(*args, **kwargs)
        if len(taken) < len(tensors) and self._nested.holds_product([*tensors, *tree_iter(result)]):
            self.unread.append((call.frames, "nested tensors"))
        written = {id(t) for t, version in zip(taken, versions, strict=True) if _version(t) != version}
        if not known:
            # A tensor made from parameters alone (a transposed weight, weight norm) counts as a parameter.
            for tensor in tree_iter(result) if names else ():
                if isinstance(tensor, Tensor):
                    self._derived[tensor] = names
            return result
        in_place = func is Tensor.__setitem__ or (result is None and overwrites(func))
        made = with_axes(args[0] if in_place else result)
        if of_several(func):
            self.unread += [(call.frames, name_of(func))] * any(is_scaled(x, u) for x in made for u in before)
        elif len(made) == 1:
            told = multiplies and len(taken) > 1 and self._note_product(call, taken, before, made[0])
            if not told and (len(known) > 1 or mixes(func)) and (in_place or not written):
                self._check_scaled(call, taken, made[0])
        if is_convolution(func) and (kernel := self.value(_second(args, kwargs, "weight"))) and kernel.call:
            self.kernels.append(call)
        for item, tensor in enumerate(made):
            self._note(call, item, tensor, taken, written)
        return result

    def _note_product(self, call: Call, taken: list[Tensor], before: list[Tensor], made: Tensor) -> bool:
        """Record a call that may multiply, and return whether this tells all that it computed."""
        product = find_product(call.function, before, made, self._count)
        if product is None and has_other_axes(before, made):
            self.other_axes.append(call)
            return True
        u = None if product is None else self._values.get(taken[product.u])
        # For a part of the images, a factor that was not computed from them is a constant.
        if product is not None and u is not None and (product.whole or self._values.get(taken[product.s])):
            maps = before[product.u] if product.layout == "nchw" else before[product.u].movedim(-1, 1)
            excitation = follow(self._values.get(taken[product.s]), u, maps, product.factor)
            self.events.append(Event(call, product, excitation, u))
        return product is not None or (is_plain(call.function) and not made.is_complex())

    def _hand_over(self, handler: Function, *call: object) -> object:
        """Let an object that is no tensor handle a call; the calls that it makes are seen."""
        with self:
            return handler(*call)

    def _check_scaled(self, call: Call, taken: list[Tensor], made: Tensor) -> None:
        """Record a call that is not a known product if its output still equals maps times a factor per channel."""
        if self._holds_product(call, steps=4):
            return  # u + s · u, or u + w · (s · u) + b, whose product is seen
        maps = [tensor for tensor in taken if tensor.shape == made.shape and self._values.get(tensor) is not None]
        if name_of(call.function) in WITH_ADDITION:
            made = made - taken[0]
        elif made.ndim == 4 and (not maps or mixes(call.function) or call.function is Tensor.__setitem__):
            # Assembled from parts, or computed together.
            maps = self._maps_like(made)
        # Images may lie beside each other among the channels, (1, N · C, H, W), as for a grouped convolution.
        folded = made.ndim == 4 and len(made) == 1 < self._count and made.shape[1] % self._count == 0
        pairs = [(made.abs(), tensor.abs()) if made.is_complex() else (made, tensor) for tensor in maps]
        if folded:
            pairs = [
                (one.reshape(self._count, -1, *one.shape[2:]), two.reshape(self._count, -1, *two.shape[2:]))
                for one, two in pairs
            ]
        if any(is_scaled(one, two) for one, two in pairs):
            self.unread.append((call.frames, name_of(call.function)))

    def _holds_product(self, call: Call, steps: int) -> bool:
        """Return whether an input of a call was made from a product within ``steps`` calls in the same module."""
        products = {id(event.call) for event in self.events}
        made = {id(one): one for value in call.inputs if (one := value.origin.call) is not None}
        for _ in range(steps):
            if products & made.keys():
                return True
            made = {
                id(inner): inner
                for one in made.values()
                if one.frames[-1:] == call.frames[-1:]
                for value in one.inputs
                if (inner := value.origin.call) is not None
            }
        return False

    def _maps_like(self, made: Tensor) -> list[Tensor]:
        """Return the other tensors of the pass that still exist and have the same shape."""
        return [tensor for tensor in list(self._values) if tensor is not made and tensor.shape == made.shape]

    def check(self, made: object, given: object, frames: tuple[Frame, ...]) -> None:
        """Record a module whose calls are not seen if its output equals its input times a factor per channel."""
        if not (isinstance(made, Tensor) and isinstance(given, Tensor) and self._values.get(made) is None):
            return
        if made.is_nested or given.is_nested:
            return
        if is_scaled(made, given):
            self.unread.append((frames, ""))
            self._values[made] = Value(None, 0, made.shape, is_map=True, source=None, data=None)

    def _known(self, tensor: Tensor) -> Value | None:
        """Return what is known of a tensor; maps made by a script, whose calls are not seen, are noted as maps."""
        value: Value | None = self._values.get(tensor)
        if value is None and not self._names(tensor):
            value = self._aliases.find(tensor)
            if value is not None:
                self._values[tensor] = value
        if value is None and tensor.ndim == 4 and len(tensor) == self._count and tensor.shape[2:].numel() > 1:
            if isinstance(tensor, nn.Parameter) or self._names(tensor) or not tensor.is_floating_point():
                return None
            if any(is_scaled(tensor, other) for other in self._maps_like(tensor)):
                self.unread.append((tuple(self.frames), ""))
            value = Value(None, 0, tensor.shape, is_map=True, source=None, data=None)
            self._values[tensor] = value
        return value

    def _names(self, tensor: Tensor) -> tuple[str, ...]:
        """Return the names of the parameters that a tensor is, or was made from."""
        name = self._parameters.get(id(tensor))
        return (name,) if name is not None else self._derived.get(tensor, ())

    def _slice(self, tensor: Tensor, source: Tensor, known: Value) -> tuple[object, ...] | None:
        """Return a key that identifies a part of a tensor; None if ``tensor`` is not a part of ``source``."""
        if tensor.numel() >= source.numel() or not same_storage(tensor, source):
            return None
        return id(known.origin), _version(source), tensor.storage_offset(), tensor.shape, tensor.stride()

    def _note(self, call: Call, item: int, tensor: Tensor, taken: list[Tensor], written: set[int]) -> None:
        self.quantized |= tensor.is_quantized
        shape = tensor.shape
        maps = [value.numel for value in call.inputs if value.is_map]
        axes = sum(length > 1 for length in shape[1:])
        is_map = bool(maps) and not (axes <= 1 and tensor.numel() < max(maps))
        value = Value(call, item, shape, is_map, None, None)
        for source in taken:
            known = self._values.get(source)
            # An in-place operation returns the tensor that it took, with other numbers.
            copies = name_of(call.function) in _COPYING and tensor.shape == source.shape
            same = source is tensor or shows(tensor, source) or copies
            if known is not None and same and id(source) not in written and call.function is not Tensor.__setitem__:
                # A map that only gave the shape (``expand_as``) is not shown.
                value.source, value.is_map = known.origin, known.is_map
                break
        for source in taken if len(taken) == 1 else ():
            known = self._values.get(source)
            key = self._slice(tensor, source, known) if known is not None else None
            if key is not None:
                # The same part taken again has the same numbers.
                first = self._slices.setdefault(key, value)
                value.source = None if first is value else first.origin
        longest = max((length for length in shape[1:]), default=1)
        if tensor.is_floating_point() and 0 < tensor.numel() <= 4 * len(tensor if tensor.ndim else [0]) * longest:
            value.data = tensor.detach().clone()
        self._values[tensor] = value
        self._aliases.note(tensor, value)


def _second(args: tuple[Any, ...], kwargs: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - of any type
    return args[1] if len(args) > 1 else kwargs.get(name)


def _version(tensor: Tensor) -> int:
    """Return how often a tensor has been written to; 0 if it was made in inference mode or is not initialised."""
    return 0 if is_lazy(tensor) or tensor.is_inference() else tensor._version


def _keeps_between(function: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Return whether a call clamps from both sides; a clamp from one side is a guard against division by zero."""
    bounds = [*args[1:], *kwargs.values()]
    return name_of(function) in ("clamp", "clip") and sum(bound is not None for bound in bounds) > 1


def shows(view: Tensor, source: Tensor) -> bool:
    """Return whether a tensor holds exactly the numbers of another, reshaped, permuted or expanded."""
    return view.numel() >= source.numel() and view.dtype == source.dtype and same_storage(view, source)


def same_storage(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are views of the same memory."""
    if one.layout != torch.strided or other.layout != torch.strided:
        return False
    try:
        return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr() != 0
    except (RuntimeError, NotImplementedError):
        return False  # a tensor of a subclass without storage
