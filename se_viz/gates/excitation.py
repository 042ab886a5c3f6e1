"""The computation of s from U, followed backwards through the calls of a pass: squeeze, layers, gate function."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from se_viz.gates.channel_products import name_of
from se_viz.gates.gate_functions import GATE_FUNCTIONS, SOFTMAX, softmax_over_channels
from se_viz.gates.values import Call, Value

# Layers by the names of their calls; the first of them gives the bottleneck's width.
_LAYERS = frozenset({"linear", "conv2d", "conv1d", "matmul", "mm", "bmm", "addmm", "baddbmm", "einsum"})

_REPEATING = frozenset({"repeat", "tile", "repeat_interleave", "expand", "expand_as", "interpolate", "upsample"})
# Functions that change each number of a squeeze separately, so that each remains a number of its channel.
_EACH = frozenset(
    {"add", "sub", "mul", "div", "pow", "neg", "sqrt", "square", "abs", "true_divide", "multiply", "rsub"}
)
_LOCAL = frozenset({"avg_pool2d", "max_pool2d", "conv2d"})

# A BatchNorm without statistics differs from the identity by 5e-6.
_EXACT = 1e-6

# Largest number of calls between U and its squeeze; a weighted mean needs a multiplication and some reshaping.
_DEEPEST = 6

# Functions that make a factor a gate if no layer computes it.
_BOUNDED = frozenset({
    *("sigmoid", "hardsigmoid", "tanh", "hardtanh", "relu", "relu6", "softmax", "softplus", "expit", "softsign"),
    *("silu", "gelu", "elu", "log_sigmoid", "special_expit"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Excitation:
    """The part of the computation of s from U that was seen.

    Attributes:
        z: the squeeze of U, C numbers per image; None if no single squeeze was seen to feed s.
        squeeze: the squeeze operator, or the operators of several squeezes; "other" for an operator without a name,
            "" if no squeeze was seen.
        gate_function: the name of the gate function, or "other".
        bottleneck: output width of the first of two or more layers; None otherwise.
        parameters: names of the parameters that were used.
        learned: whether a layer or a gate function was used; a factor without either is a normalisation.
        repeated: whether an s of the size of the maps was made by repeating one number per channel.
    """

    z: Value | None
    squeeze: str
    gate_function: str
    bottleneck: int | None
    parameters: tuple[str, ...]
    learned: bool
    repeated: bool = True


def follow(s: Value | None, u: Value, maps: Tensor, factor: Tensor) -> Excitation:
    """Follow s back to the squeezes it was computed from, and return what was seen.

    Args:
        s: the value of the factor; None if the pass did not compute it in calls that were seen.
        u: the value of the maps.
        maps: U (N, C, H, W).
        factor: s (N, C).
    """
    if s is None:
        # The factor was computed where no calls are seen, for instance in a script, so nothing is known of it.
        return Excitation(None, "", "other", None, (), learned=True)
    between = list(_behind(s))
    calls = {value.call.index: value.call for value in between if value.call is not None and value.origin is value}
    ordered = [calls[index] for index in sorted(calls)]
    computed = [value for value in between if value.origin is value and value.call is not None]
    squeezes = [value for value in computed if value.call and any(before.is_map for before in value.call.inputs)]
    squeezes.sort(key=lambda value: (value.index, value.item))
    layers = [call for call in ordered if call.parameters and name_of(call.function) in _LAYERS]
    z, squeeze = _squeeze(squeezes, between, u, maps)
    names = dict.fromkeys(name for call in ordered for name in call.parameters)
    functions = {name_of(call.function) for call in ordered}
    return Excitation(
        z=z,
        squeeze=squeeze,
        gate_function=identify_gate_function(between, factor),
        bottleneck=_width(layers[0], between) if len(layers) > 1 else None,
        parameters=tuple(names),
        # If the computation passes through maps, it is not known how the factor was computed.
        learned=bool(layers)
        or bool(functions & _BOUNDED)
        or any(call.between for call in ordered)
        or any(value.is_map for value in between),
        repeated=_is_repeated(s, factor.numel(), squeezes),
    )


def _is_repeated(s: Value, size: int, squeezes: list[Value]) -> bool:
    """Return whether a factor larger than ``size`` was made by repeating a factor of that size over the pixels.

    The output of a local pooling may happen to have one pixel here and several in larger images, so it does not count.
    """
    if any(value.call is not None and name_of(value.call.function) in _LOCAL for value in squeezes):
        return False
    while s.numel > size:
        call = s.origin.call
        if call is None or (s.origin is s and name_of(call.function) not in _REPEATING):
            return False
        s = s.origin if s.origin is not s else max(call.inputs, key=lambda value: value.index)
    return True


def identify_squeeze(z: Tensor | None, maps: Tensor, tolerance: float = 1e-4) -> str:
    """Return the name of the squeeze operator that computes z (N, C) from maps (N, C, H, W); "" if none matches.

    ``tolerance`` is relative to the largest number of an image.
    """
    if z is None:
        return ""
    return next((name for name, value in _squeezes(maps) if _close(z, value, tolerance)), "")


def identify_gate_function(between: list[Value], factor: Tensor) -> str:
    """Return the name of the gate function that computed s from one of the values before it, or "other".

    Args:
        between: the values from s back to the squeezes.
        factor: s (N, C).
    """
    for value in between:
        # Skip s itself, reshaped or passed through a dropout: it is not the input of the function.
        if value.data is None or value.data.numel() != factor.numel() or _close_flat(value.data, factor):
            continue
        for name, function in GATE_FUNCTIONS.items():
            if _close_flat(function.apply(value.data), factor):
                return name
        if _close_flat(softmax_over_channels(value.data, factor), factor):
            return SOFTMAX
    last = next((value.call for value in between if value.call is not None and value.origin is value), None)
    name = name_of(last.function).replace("hardsigmoid", "hard-sigmoid") if last else ""
    return name if name in GATE_FUNCTIONS else "other"


def _behind(s: Value) -> Iterator[Value]:
    """Yield the values from s back to those computed from maps, the latest first."""
    waiting, seen = [s], {id(s)}
    while waiting:
        waiting.sort(key=lambda value: (value.index, value.item))
        value = waiting.pop()
        yield value
        shown = (value.origin,) if value.origin is not value else ()
        if value.call is None or (not shown and any(before.is_map for before in value.call.inputs)):
            continue
        for before in shown or value.call.inputs:
            if id(before) not in seen:
                seen.add(id(before))
                waiting.append(before)


def _squeeze(squeezes: list[Value], between: list[Value], u: Value, maps: Tensor) -> tuple[Value | None, str]:
    """Return z and the names of the squeeze operators."""
    names = [_name(value, u, maps) for value in squeezes]
    listed = ", ".join(dict.fromkeys(filter(None, names)))
    if not squeezes or not all(names):
        return None, ""
    together = _combined(squeezes, between, maps.shape[0] * maps.shape[1])
    if together is not None:
        return together, identify_squeeze(_table(together, maps), maps) or "other"
    # The two squeezes of CBAM go through one MLP, one after the other; z is the first.
    first = squeezes[0] if set(names) == {"avg", "max"} and _apart(squeezes, between) else None
    return first, listed


def _name(value: Value, u: Value, maps: Tensor) -> str:
    """Return the operator of one squeeze; "" unless it is seen to be a squeeze of U."""
    table = _table(value, maps)
    inputs = () if value.call is None else value.call.inputs
    if not any(_made_of(before, u, _DEEPEST) for before in inputs) or not all(_is_of_u(before, u) for before in inputs):
        # A squeeze of other maps: it has the same numbers if these maps are a copy of U made by arithmetic.
        return identify_squeeze(table, maps, _EXACT)
    return identify_squeeze(table, maps) or ("other" if table is not None else "")


def _made_of(value: Value, u: Value, depth: int) -> bool:
    """Return whether a value is U, or was computed from U within ``depth`` calls that take no parameter."""
    if value.origin is u.origin:
        return True
    call = value.origin.call
    if not depth or call is None or call.parameters or not value.is_map:
        return False
    return any(_made_of(before, u, depth - 1) for before in call.inputs)


def _is_of_u(value: Value, u: Value) -> bool:
    """Return whether a value was computed from U and from nothing that the pass has computed before or beside U."""
    waiting, seen = [value.origin], set[int]()
    while waiting:
        one = waiting.pop()
        if one is u.origin or id(one) in seen:
            continue
        if one.call is None or one.index < u.origin.index or not one.call.inputs:
            return False
        seen.add(id(one))
        waiting += [before.origin for before in one.call.inputs]
    return True


def _combined(squeezes: list[Value], between: list[Value], size: int) -> Value | None:
    """Return the input of the first layer: the last value of C numbers computed from exactly all squeezes."""
    made: dict[int, frozenset[int]] = {id(value): frozenset([id(value)]) for value in squeezes}
    together = squeezes[0] if len(squeezes) == 1 and squeezes[0].numel == size else None
    for value in sorted(between, key=lambda value: (value.index, value.item)):
        call = value.call
        if id(value) in made or call is None:
            continue
        sources = call.inputs if value.origin is value else (value.origin,)
        each = name_of(call.function) in _EACH and call.constants <= 1 and not call.parameters
        if (each or value.origin is not value) and all(id(before) in made for before in sources):
            made[id(value)] = frozenset().union(*(made[id(before)] for before in sources))
            if len(made[id(value)]) == len(squeezes) and value.numel == size and _in_order(value):
                together = value
    return together


def _in_order(value: Value) -> bool:
    """Return whether a value shows the numbers of its origin in their order, unlike a transposed view."""
    if value.origin is value:
        return True
    shown, numbers = value.data, value.origin.data
    return shown is not None and numbers is not None and torch.equal(shown.reshape(-1), numbers.reshape(-1))


def _apart(squeezes: list[Value], between: list[Value]) -> bool:
    """Return whether no value before the first layer is longer than a squeeze, as concatenated squeezes would be."""
    size = squeezes[0].numel
    return all(value.numel <= size for value in between if value.call is None or not value.call.parameters)


def _table(value: Value, maps: Tensor) -> Tensor | None:
    """Return a value as (N, C) if it has N · C numbers, otherwise None."""
    images, channels = maps.shape[:2]
    if value.data is None or value.numel != images * channels or value.shape[0] not in (images, 1, images * channels):
        return None
    return value.data.reshape(images, channels)


def _width(call: Call, between: list[Value]) -> int | None:
    """Return how many numbers per image a layer puts out."""
    value = next((value for value in between if value.call is call), None)
    return None if value is None else value.numel // value.shape[0] if value.shape else None


def _squeezes(maps: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield the squeeze operators by name, one at a time, because the first one usually matches."""
    flat = maps.flatten(2)
    mean = flat.mean(2)
    yield "avg", mean
    peak = flat.amax(2)
    yield "max", peak
    yield "avg+max", (mean + peak) / 2
    yield "avg+max", mean + peak
    pixels = flat.shape[2]
    for correction in (1, 0):
        variance = flat.var(2, correction=correction) if pixels > correction else torch.zeros_like(mean)
        yield "std", variance.sqrt()
        yield "std", (variance + 1e-5).sqrt()
        yield "var", variance
    yield "log-sum-exp", flat.logsumexp(2)
    yield "sum", flat.sum(2)
    yield "min", flat.amin(2)
    yield "norm", flat.square().mean(2).sqrt()
    yield "norm", flat.norm(dim=2)
    yield "norm", flat.abs().mean(2)


def _close(a: Tensor, b: Tensor, tolerance: float) -> bool:
    off, largest = (value.abs().flatten(1).amax(1) for value in (a.to(b) - b, b))
    return bool((off <= tolerance * largest.clamp_min(1e-12)).all())


def _close_flat(a: Tensor, b: Tensor) -> bool:
    return bool(((a.reshape(-1).to(b) - b.reshape(-1)).abs().max() <= 1e-5 * b.abs().max().clamp_min(1e-12)).item())
