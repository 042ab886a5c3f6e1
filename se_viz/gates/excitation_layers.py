"""The layers that computed s from z in a pass: two FC layers with h between them, one, or a 1-D convolution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from se_viz.gates.gate_functions import GATE_FUNCTIONS
from se_viz.gates.layer_calls import LayerCall

ExcitationKind: TypeAlias = Literal["bottleneck", "one layer", "neighbours", "last layer", "unknown"]

# Activations between the two layers, by name.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "ReLU": torch.relu,
    "SiLU": functional.silu,
    "GELU": functional.gelu,
    "hard swish": functional.hardswish,
    "ReLU6": functional.relu6,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "LeakyReLU": functional.leaky_relu,
    "ELU": functional.elu,
    "Mish": functional.mish,
}
# z and s come from the fast copy of a network, which may differ by this.
_ROUNDING = 1e-5
_CLOSE = {torch.float64: 1e-6, torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 3e-2}


@dataclass(frozen=True, slots=True, eq=False)
class ExcitationLayers:
    """The layers that computed s of one image from z.

    Attributes:
        kind: "bottleneck" for two layers with h between them; "one layer" for an FC layer from z to s; "neighbours" for
            a 1-D convolution over the channels (ECA); "last layer" if the last layer was seen, but not how its input is
            computed from z; "unknown" if no layer was seen to compute s.
        first: the layer that takes z; None unless there are two layers.
        last: the layer whose output the gate function takes.
        h: the numbers between the two layers, which the last layer takes.
        activation: name of the function between the two layers; "" for no function, "other" for one without a name or
            more layers.
    """

    kind: ExcitationKind
    first: LayerCall | None = None
    last: LayerCall | None = None
    h: Tensor | None = None
    activation: str = ""


def excitation_layers(
    calls: Sequence[LayerCall], z: Tensor | None, s: Tensor, gate_function: str, dtype: torch.dtype
) -> ExcitationLayers:
    """Return the layers, as the calls of one pass show them.

    Args:
        calls: the calls of layers of vectors, in order.
        z, s: squeeze descriptor, if there is one, and excitation weights (C,) of the gate.
        gate_function: name of the gate function.
        dtype: the type in which the network computes, for the tolerance.
    """
    tolerance = _CLOSE.get(dtype, 1e-4)
    known = GATE_FUNCTIONS.get(gate_function)
    if known is None:
        return ExcitationLayers("unknown")
    channels = s.numel()
    # A gate that runs several times computes the same s with the same layers; the first is as good.
    ends = (
        at
        for at, call in enumerate(calls)
        if call.output.numel() == channels and _near(known.apply(call.output.reshape(-1).float()), s, tolerance)
    )
    at = next(ends, None)
    if at is None:
        return ExcitationLayers("unknown")
    last = calls[at]
    if z is not None and _takes(last, z, tolerance):
        one = last.kind == "conv1d" and last.input.shape[0] == 1 and last.input.numel() > 1
        return ExcitationLayers("neighbours" if one else "one layer", last=last)
    start = next(
        (call for call in reversed(calls[:at]) if z is not None and _takes(call, z, tolerance)),
        None,
    )
    h = last.input.reshape(-1).float()
    if start is None or last.kind == "conv1d":
        return ExcitationLayers("last layer", last=last, h=h)
    return ExcitationLayers("bottleneck", start, last, h, _activation(start.output.reshape(-1).float(), h, tolerance))


def _takes(call: LayerCall, z: Tensor, tolerance: float) -> bool:
    """Return whether a layer takes z, which ECA's circular variant pads on both sides."""
    flat = call.input.reshape(-1)
    extra = flat.numel() - z.numel()
    if extra and (extra < 0 or call.kind != "conv1d" or extra >= call.kernel[0]):
        return False
    return _near(flat[extra // 2 : extra // 2 + z.numel()].float(), z, tolerance)


def _activation(before: Tensor, after: Tensor, tolerance: float) -> str:
    if before.shape != after.shape:
        return "other"
    if _near(before, after, tolerance):
        return ""
    return next((name for name, apply in ACTIVATIONS.items() if _near(apply(before), after, tolerance)), "other")


def _near(one: Tensor, other: Tensor, tolerance: float) -> bool:
    if one.shape != other.shape:
        return False
    other = other.to(one)
    return bool((one - other).abs().amax() <= tolerance * other.abs().amax() + _ROUNDING)
