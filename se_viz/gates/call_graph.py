"""The call graph of a forward pass: every torch function that its thread calls, in order, with inputs and outputs.

A ``TorchFunctionMode`` also sees calls in code outside any module, and it applies to one thread only.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter
from torch.utils.weak import WeakTensorKeyDictionary

from se_viz.device.memory import is_out_of_memory
from se_viz.gates.aliases import Aliases
from se_viz.gates.channel_products import (
    Product,
    adds_first,
    find_product,
    is_convolution,
    is_normalisation,
    is_plain,
    is_scaled,
    may_multiply,
    may_reorder,
    mixes,
    name_of,
    of_several,
    overwrites,
)
from se_viz.gates.excitation import Excitation, follow
from se_viz.gates.nested_maps import NestedMaps
from se_viz.gates.other_products import other_product
from se_viz.gates.refusals import REJECTIONS, refuse_tracing
from se_viz.gates.transforms import kernel_of, unmapped
from se_viz.gates.values import Call, Clock, Frame, Function, Value, other_handler
from se_viz.weights.tensor_kinds import plain, with_axes

# Number of maps that are kept although nothing else refers to them.
_LATEST = 4

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
        others: the frames of calls that multiplied maps by other numbers computed from the images, with the reason why
            they are no gates.
        unread: the cases in which maps equal other maps times one factor per channel, but the computation cannot be
            read: the frames that were running, and the name of the call ("" if no call was seen).
        kernels: convolutions whose weights were computed from the images.
        reordered: the frames of calls that put the images of the batch, or of their maps, into another order.
        quantized: whether a quantised tensor was seen.
    """

    def __init__(self, images: Tensor, parameters: Mapping[int, str], clock: Clock) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.frames: list[Frame] = []
        self.events: list[Event] = []
        self.others: list[tuple[tuple[Frame, ...], str]] = []
        self.unread: list[tuple[tuple[Frame, ...], str]] = []
        self.kernels: list[Call] = []
        self.reordered: list[tuple[Frame, ...]] = []
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
        # The last maps, which code whose calls are not seen may have multiplied.
        self._latest: deque[Tensor] = deque(maxlen=_LATEST)

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
        if (kernel := kernel_of(func)) is not None:
            with self:
                return kernel(*args, **kwargs)
        tensors = [leaf for leaf in tree_iter((args, kwargs)) if isinstance(leaf, Tensor)]
        taken = [unmapped(tensor) for tensor in with_axes(tensors)]
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
        before = [t.clone() for t in taken] if len(taken) > 1 and may_write and known else taken
        versions = [_version(t) for t in taken]
        result = func(*args, **kwargs)
        if len(taken) < len(tensors) and self._nested.holds_product([*tensors, *tree_iter(result)]):
            self.unread.append((call.frames, "nested tensors"))
        written = {id(t) for t, version in zip(taken, versions, strict=True) if _version(t) != version}
        if not known:
            self._note_derived(result, names)
            return result
        made = _made(func, args, result, [tensor for tensor in taken if id(tensor) in written])
        self._look(call, taken, before, made, _argument(args, kwargs, 1, "weight"))
        for item, tensor in enumerate(made):
            self._note(call, item, tensor, taken, written)
        return result

    def _note_derived(self, result: object, names: tuple[str, ...]) -> None:
        """Record that tensors made from parameters alone (a transposed weight, weight norm) count as parameters."""
        for tensor in tree_iter(result) if names else ():
            if isinstance(tensor, Tensor):
                self._derived[tensor] = names

    def _look(self, call: Call, taken: list[Tensor], before: list[Tensor], made: list[Tensor], weight: object) -> None:
        """Record what a call computed; for tensors that do not do what this takes, that they cannot be read."""
        try:
            self._look_for_products(call, taken, before, made)
            self._look_at_kind(call, taken, made, weight)
        except REJECTIONS as error:
            kinds = dict.fromkeys(type(t).__name__ for t in (*taken, *made) if type(t) not in (Tensor, nn.Parameter))
            if is_out_of_memory(error) or not kinds:
                raise
            self.unread.append((call.frames, f"tensors of the class {', '.join(kinds)}"))

    def _look_at_kind(self, call: Call, taken: list[Tensor], made: list[Tensor], weight: object) -> None:
        """Record convolutions and normalisations whose weights are computed from the images, and other orders."""
        if is_convolution(call.function) and (kernels := self.value(weight)) and kernels.call:
            self.kernels.append(call)
        if is_normalisation(call.function) and any(v.call for v in map(self._values.get, taken[1:]) if v):
            self.unread.append((call.frames, name_of(call.function)))
        if len(made) == 1 and may_reorder(call.function) and self._reorders(taken, made[0]):
            self.reordered.append(call.frames)

    def _reorders(self, taken: Sequence[Tensor], made: Tensor) -> bool:
        """Return whether a call returned the images in another order, or in one that it has computed from them."""
        source, value = taken[0], self._values.get(taken[0])
        if value is None or not value.is_map or made.shape != source.shape or len(made) != self._count:
            return False
        indices = [self._values.get(index) for index in taken[1:] if index.shape[:1] == made.shape[:1]]
        computed = any(index is not None and index.shape == made.shape[:1] for index in indices)
        return computed or (not torch.equal(made, source) and torch.equal(made, source.flip(0)))

    def _look_for_products(self, call: Call, taken: list[Tensor], before: list[Tensor], made: list[Tensor]) -> None:
        """Record the products of maps and factors among what a call took, and what it made."""
        made = [_readable(tensor) for tensor in made]
        before = [_readable(tensor) for tensor in before]
        multiplies = may_multiply(call.function) and len(taken) > 1
        if of_several(call.function):
            lists = len(taken) // max(1, len(made))
            groups = [[at * len(made) + item for at in range(lists)] for item in range(len(made))]
        else:
            groups = [list(range(len(taken)))]
        for item, tensor in enumerate(made):
            group = groups[min(item, len(groups) - 1)]
            if multiplies and self._note_product(call, taken, before, tensor, group, item):
                continue
            if len(call.inputs) > 1 or mixes(call.function):
                self._check_scaled(call, taken, before, tensor, group)

    def _note_product(
        self, call: Call, taken: list[Tensor], before: list[Tensor], made: Tensor, group: Sequence[int], item: int
    ) -> bool:
        """Record a call that may multiply, and return whether this tells all that it computed.

        ``group`` has the positions of the tensors from which ``made``, number ``item`` of the results, was computed.
        """
        product = find_product(call.function, [before[at] for at in group], made, self._count)
        if product is not None:
            product = replace(product, u=group[product.u], s=group[product.s], item=item)
        u = None if product is None else self._values.get(taken[product.u])
        # For a part of the images, a factor that was not computed from them is a constant.
        if product is not None and u is not None and (product.whole or self._values.get(taken[product.s])):
            maps = before[product.u] if product.layout == "nchw" else before[product.u].movedim(-1, 1)
            excitation = follow(self._values.get(taken[product.s]), u, maps, product.factor)
            self.events.append(Event(call, product, excitation, u))
            return True
        if self._note_other(call, taken, before, made, group):
            return True
        return product is not None or (is_plain(call.function) and not made.is_complex())

    def _note_other(
        self, call: Call, taken: list[Tensor], before: list[Tensor], made: Tensor, group: Sequence[int]
    ) -> bool:
        """Record a call that multiplied maps by other numbers than a factor per channel, and return whether it did."""
        values = [self._values.get(taken[at]) for at in group]
        reason = other_product(call.function, [before[at] for at in group], values, made, self._count)
        if reason:
            self.others.append((call.frames, reason))
        return bool(reason)

    def _hand_over(self, handler: Function, *call: object) -> object:
        """Let an object that is no tensor handle a call; the calls that it makes are seen."""
        with self:
            return handler(*call)

    def _check_scaled(
        self, call: Call, taken: list[Tensor], before: list[Tensor], made: Tensor, group: Sequence[int]
    ) -> None:
        """Record a call that is not a known product if its output still equals maps times a factor per channel."""
        if self._holds_product(call, steps=4):
            return  # u + s · u, or u + w · (s · u) + b, whose product is seen
        if self._note_other(call, taken, before, made, group):
            return
        first = before[group[0]]
        pairs = [
            (made, before[at])
            for at in group
            if before[at].shape == made.shape and self._values.get(taken[at]) is not None
        ]
        if adds_first(call.function) and first.shape == made.shape:
            pairs += [(made - first, maps) for _, maps in pairs]
            pairs += [(made - first, maps - first) for _, maps in pairs]  # lerp: x + s · (u - x)
        elif is_convolution(call.function) and made.ndim > 2:
            # An addition of one number per channel: a bias.
            pairs += [(_centred(made), _centred(maps)) for _, maps in pairs]
        elif made.ndim == 4 and (not pairs or mixes(call.function) or call.function is Tensor.__setitem__):
            # Assembled from parts, or computed together.
            pairs = [(made, maps) for maps in self._maps_like(made)]
        # Images may lie beside each other among the channels, (1, N · C, H, W), as for a grouped convolution.
        folded = made.ndim == 4 and len(made) == 1 < self._count and made.shape[1] % self._count == 0
        if made.is_complex():
            pairs = [(one.abs(), maps.abs()) for one, maps in pairs]
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
        return [_readable(tensor) for tensor in list(self._values) if tensor is not made and tensor.shape == made.shape]

    def check(self, made: object, given: object, frames: tuple[Frame, ...]) -> None:
        """Record a module whose calls are not seen if its output equals its input times a factor per channel."""
        if not (isinstance(made, Tensor) and isinstance(given, Tensor) and self._values.get(made) is None):
            return
        if made.is_nested or given.is_nested:
            return
        if (known := self._aliases.find(made)) is not None:
            self._values[made] = known
            return
        # What the module multiplied may be its input, or maps that it has computed.
        if any(is_scaled(_readable(made), maps) for maps in (_readable(given), *self._maps_like(made))):
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
            if any(is_scaled(_readable(tensor), other) for other in self._maps_like(tensor)):
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
            value.data = _readable(tensor).detach().clone()
        if is_map and tensor.ndim == 4:
            self._latest.append(tensor)
        self._values[tensor] = value
        self._aliases.note(tensor, value)


def _made(func: Function, args: tuple[Any, ...], result: object, written: list[Tensor]) -> list[Tensor]:
    """Return the tensors that a call has made, or written to."""
    if result is None and not of_several(func) and func is not Tensor.__setitem__:
        return written
    listed = func is Tensor.__setitem__ or result is None
    return [unmapped(tensor) for tensor in with_axes(args[0] if listed else result)]


def _argument(args: tuple[Any, ...], kwargs: Mapping[str, Any], at: int, name: str) -> Any:  # noqa: ANN401 - of any type
    return args[at] if len(args) > at else kwargs.get(name)


def _readable(tensor: Tensor) -> Tensor:
    """Return a tensor that can be computed with beside plain ones, if there is one with the same numbers."""
    if type(tensor) in (Tensor, nn.Parameter):
        return tensor
    table = plain(tensor)
    return tensor if table is None else table


def _centred(maps: Tensor) -> Tensor:
    """Return maps (N, C, …) with the mean of each channel taken away."""
    return maps - maps.mean(tuple(range(2, maps.ndim)), keepdim=True)


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
