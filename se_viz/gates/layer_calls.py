"""Calls of linear and convolution layers in a pass, with what each output number is the sum of."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from se_viz.gates.channel_products import name_of
from se_viz.types import Args, Classes, Floats, Function, Kwargs
from se_viz.weights.tensor_kinds import doubles

LayerKind: TypeAlias = Literal["linear", "conv1d", "conv2d"]

# Numbers of the largest input that counts as a vector: 16 times the widest gate of timm.
_LARGEST = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """The products that add up to one output number of a layer.

    Attributes:
        inputs: the input numbers, 0 where they are padding; (I, k, k) for a convolution of maps, (I, k) for one over a
            vector, (I,) for an FC layer.
        weights: the weights, in the same shape.
        bias: the bias; 0 if the layer has no bias.
        first: number of the first of the I input channels, which is not 0 for a grouped convolution.
        corner: row and column of the input at which the kernel begins, negative within the padding; () for an FC layer.
    """

    inputs: Floats
    weights: Floats
    bias: float
    first: int = 0
    corner: tuple[int, ...] = ()

    @property
    def sum(self) -> float:
        """Return the output number."""
        return float((self.inputs * self.weights).sum()) + self.bias


@dataclass(frozen=True, slots=True, eq=False)
class LayerCall:
    """A call of a layer for one image.

    Attributes:
        kind: the kind of layer.
        input: its input without the axis of images: (I,), (I, L) or (I, H, W).
        weight: (O, I / groups, …), as the call took it.
        bias: (O,), or None.
        output: its output without the axis of images.
        stride, padding, dilation: of a convolution, for each axis.
        groups: of a convolution.
    """

    kind: LayerKind
    input: Tensor
    weight: Tensor
    bias: Tensor | None
    output: Tensor
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1

    @property
    def kernel(self) -> tuple[int, ...]:
        """Size of the kernel, (height, width) for maps; () for an FC layer."""
        return tuple(self.weight.shape[2:])

    def products(self, channel: int, place: tuple[int, ...] = ()) -> Products:
        """Return the products that add up to one output number.

        Args:
            channel: the output channel.
            place: position of the number in the output, (row, column) for maps; () for an FC layer.
        """
        weights = doubles(self.weight[channel])
        bias = 0.0 if self.bias is None else float(self.bias.detach()[channel])
        if self.kind == "linear":
            return Products(doubles(self.input), weights, bias)
        members = weights.shape[0]
        first = channel // (self.weight.shape[0] // self.groups) * members
        window = np.zeros(weights.shape)
        corner = tuple(at * step - pad for at, step, pad in zip(place, self.stride, self.padding, strict=True))
        inside: list[slice] = [slice(None)]
        taken: list[slice] = [slice(first, first + members)]
        sizes = zip(corner, self.dilation, self.kernel, self.input.shape[1:], strict=True)
        for start, step, length, size in sizes:
            low = max(0, -(start // step)) if start < 0 else 0
            high = min(length, (size - 1 - start) // step + 1)
            inside.append(slice(low, max(low, high)))
            taken.append(slice(start + low * step, max(start + low * step, start + (high - 1) * step + 1), step))
        window[tuple(inside)] = doubles(self.input[tuple(taken)])
        return Products(window, weights, bias, first, corner)


class LayerCalls(TorchFunctionMode):
    """A record of the layers that the thread calls for one image while the mode is entered.

    Attributes:
        calls: the calls in order; inputs and outputs of layers of vectors are copies.

    Args:
        maps: whether convolutions of maps are recorded; by default only layers of vectors are.
    """

    def __init__(self, *, maps: bool = False) -> None:
        super().__init__()
        self._maps = maps
        self.calls: list[LayerCall] = []

    def __torch_function__(self, func: Function, types: Classes, args: Args = (), kwargs: Kwargs = None) -> object:
        """Run a function, and record it if it is a layer."""
        output = func(*args, **(kwargs or {}))
        name = name_of(func)
        if name in _READERS and isinstance(output, Tensor):
            with torch._C.DisableTorchFunction():
                call = _READERS[name](output, *args, **(kwargs or {}))
                if call is not None and _is_vector(call):
                    # Copies, because an activation may overwrite the output in place.
                    self.calls.append(replace(call, input=call.input.clone(), output=call.output.clone()))
                elif call is not None and self._maps:
                    self.calls.append(call)
        return output


def _is_vector(call: LayerCall) -> bool:
    return call.input.numel() <= _LARGEST and (call.kind != "conv2d" or call.output.shape[1:].numel() == 1)


def _linear(output: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> LayerCall | None:  # noqa: A002
    if input.numel() != weight.shape[-1] or weight.ndim != 2:
        return None
    return LayerCall("linear", input.reshape(-1), weight, bias, output.reshape(-1))


def _matmul(output: Tensor, input: Tensor, other: Tensor) -> LayerCall | None:  # noqa: A002
    return _linear(output, input, other.T) if other.ndim == 2 else None


def _addmm(output: Tensor, input: Tensor, mat1: Tensor, mat2: Tensor) -> LayerCall | None:  # noqa: A002
    return _linear(output, mat1, mat2.T, input) if input.ndim == 1 else None


def _convolution(
    output: Tensor,
    input: Tensor,  # noqa: A002 - the name that torch gives it
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | str | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> LayerCall | None:
    axes = weight.ndim - 2
    if input.ndim != weight.ndim or len(input) != 1:
        return None
    steps, apart = _each(stride, axes), _each(dilation, axes)
    if isinstance(padding, str):
        pads = tuple(
            (gap * (size - 1)) // 2 if padding == "same" else 0
            for gap, size in zip(apart, weight.shape[2:], strict=True)
        )
    else:
        pads = _each(padding, axes)
    return LayerCall("conv1d" if axes == 1 else "conv2d", input[0], weight, bias, output[0], steps, pads, apart, groups)


_READERS: dict[str, Callable[..., LayerCall | None]] = {
    "linear": _linear,
    "matmul": _matmul,
    "mm": _matmul,
    "addmm": _addmm,
    "conv1d": _convolution,
    "conv2d": _convolution,
}


def _each(value: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value) * (axes if len(value) == 1 else 1)
