"""Multiply-accumulates of the operators that torch's counter counts as zero."""

from collections.abc import Callable
from math import prod
from typing import Protocol, TypeAlias

import torch
import torchvision  # noqa: F401  # brings deform_conv2d
from torch import Tensor

# Arguments and output of an operator → multiply-accumulates.
Formula: TypeAlias = Callable[..., int]


class _Packed(Protocol):
    """Weights of a quantised convolution."""

    def unpack(self) -> tuple[Tensor, Tensor | None]: ...
    def transpose(self) -> bool: ...


def _mv(matrix: Tensor, *_: object, **__: object) -> int:
    return matrix.numel()


def _addmv(_total: Tensor, matrix: Tensor, *_: object, **__: object) -> int:
    return matrix.numel()


def _mm(one: Tensor, other: Tensor, *_: object, **__: object) -> int:
    return one.numel() * other.shape[-1]


def _addmm(_total: Tensor, one: Tensor, other: Tensor, *_: object, **__: object) -> int:
    return one.numel() * other.shape[-1]


def _conv_tbc(_maps: Tensor, weight: Tensor, *_: object, out_val: Tensor, **__: object) -> int:
    return weight.numel() * prod(out_val.shape[:2])


def _convolution(_maps: Tensor, weight: Tensor, *_: object, out_val: Tensor, **__: object) -> int:
    """Count one filter per output number; the interpolation of a deformable convolution is left out."""
    return out_val.numel() * prod(weight.shape[1:])


def _trilinear(
    one: Tensor,
    two: Tensor,
    three: Tensor,
    expand1: list[int],
    expand2: list[int],
    expand3: list[int],
    summed: list[int],
    *_: object,
    **__: object,
) -> int:
    """Count a bilinear layer: the first tensor times the second over their common axes, the result times the third."""
    shapes = []
    for tensor, expanded in ((one, expand1), (two, expand2), (three, expand3)):
        shape = list(tensor.shape)
        for axis in sorted(expanded):
            shape.insert(axis, 1)
        shapes.append(shape)
    whole: list[int] = [max(sizes) for sizes in zip(*shapes, strict=True)]
    early = [whole[axis] for axis in summed if axis in expand3]
    return prod(whole) + prod(whole) // prod(early)


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: object, **__: object) -> int:
    """Count queries (…, L, E) times keys (…, S, E), and weights (…, L, S) times values (…, S, V)."""
    return query.numel() * key.shape[-2] + prod(query.shape[:-1]) * key.shape[-2] * value.shape[-1]


def _lengths(tokens: Tensor) -> list[int]:
    """Return the number of tokens of each image; it differs between the images of a nested tensor."""
    return [len(one) for one in tokens.unbind()]


def _self_attention(query: Tensor, key: Tensor, _value: Tensor, embedding: int, *_: object, **__: object) -> int:
    """Count a fused ``nn.MultiheadAttention``: projections of queries, keys, values and result, and the attention."""
    pairs = zip(_lengths(query), _lengths(key), strict=True)
    return sum(2 * (queries + keys) * embedding**2 + 2 * queries * keys * embedding for queries, keys in pairs)


def _encoder_layer(tokens: Tensor, embedding: int, *args: object, **_: object) -> int:
    """Count a fused ``nn.TransformerEncoderLayer``: self-attention and two FC layers."""
    layers = sum(weight.numel() for weight in (args[12], args[14]) if isinstance(weight, Tensor))
    return sum(4 * n * embedding**2 + 2 * n * n * embedding + n * layers for n in _lengths(tokens))


def _recurrent_layer(sequence: Tensor, of_input: Tensor, of_state: Tensor, *_: object, **__: object) -> int:
    return prod(sequence.shape[:-1]) * (of_input.numel() + of_state.numel())


def _recurrent(sequence: Tensor, weights: list[Tensor], *_: object, **__: object) -> int:
    return prod(sequence.shape[:-1]) * sum(weight.numel() for weight in weights if weight.ndim == 2)


def _recurrent_states(sequence: Tensor, _states: list[Tensor], weights: list[Tensor], *_: object, **__: object) -> int:
    return _recurrent(sequence, weights)


def _quantised_linear(features: Tensor, *_: object, out_val: Tensor, **__: object) -> int:
    return out_val.numel() * features.shape[-1]


def _quantised_convolution(maps: Tensor, packed: _Packed, *_: object, out_val: Tensor, **__: object) -> int:
    weight, _bias = packed.unpack()
    if packed.transpose():
        return maps.numel() * prod(weight.shape[1:])
    return out_val.numel() * prod(weight.shape[1:])


_FORMULAS: dict[str, dict[str, Formula]] = {
    "aten": {
        "mv": _mv,
        "dot": _mv,
        "vdot": _mv,
        "addmv": _addmv,
        "addmv_": _addmv,
        "addbmm": _addmm,
        "addbmm_": _addmm,
        "addmm_": _addmm,
        "baddbmm_": _addmm,
        "_addmm_activation": _addmm,
        "_int_mm": _mm,
        "_weight_int8pack_mm": lambda one, other, *_, **__: int(one.numel() * other.shape[0]),
        "conv_tbc": _conv_tbc,
        "conv_depthwise3d": _convolution,
        "_conv_depthwise2d": _convolution,
        "mkldnn_convolution": _convolution,
        "mkldnn_linear": _quantised_linear,
        "_trilinear": _trilinear,
        "_scaled_dot_product_flash_attention_for_cpu": _attention,
        "_scaled_dot_product_fused_attention_overrideable": _attention,
        "_scaled_dot_product_attention_math_for_mps": _attention,
        "_native_multi_head_attention": _self_attention,
        "_triton_multi_head_attention": _self_attention,
        "_transformer_encoder_layer_fwd": _encoder_layer,
        "mkldnn_rnn_layer": _recurrent_layer,
        "_cudnn_rnn": _recurrent,
        "miopen_rnn": _recurrent,
        "_lstm_mps": _recurrent_states,
    },
    "torchvision": {"deform_conv2d": _convolution},
    "quantized": {
        **{
            f"linear{kind}": _quantised_linear
            for kind in ("", "_relu", "_tanh", "_leaky_relu", "_dynamic", "_relu_dynamic", "_dynamic_fp16")
        },
        "linear_relu_dynamic_fp16": _quantised_linear,
        **{
            f"conv{axes}d{kind}": _quantised_convolution
            for axes in (1, 2, 3)
            for kind in ("", "_relu", "_add", "_add_relu", "_dynamic")
        },
        **{f"conv_transpose{axes}d{kind}": _quantised_convolution for axes in (1, 2, 3) for kind in ("", "_dynamic")},
    },
}


def formulas() -> dict[object, Formula]:
    """Return the formulas by operator (for instance ``torch.ops.aten.mv``), for the operators of this build of torch.

    Each formula takes the operator's arguments, and its output as ``out_val``. It returns operations as torch's counter
    does, two for each multiply-accumulate.
    """
    found: dict[object, Formula] = {}
    for library, named in _FORMULAS.items():
        operators = getattr(torch.ops, library)
        for name, formula in named.items():
            if hasattr(operators, name):
                found[getattr(operators, name)] = _operations(formula)
    return found


def _operations(formula: Formula) -> Formula:
    def operations(*args: object, **kwargs: object) -> int:
        return 2 * formula(*args, **kwargs)

    operations._get_raw = True  # type: ignore[attr-defined]  # asks the counter for tensors in place of shapes
    return operations
