"""Calls under the transforms of ``torch.func``, and operators that call functions (``torch.cond``, loops, scans).

A transform replaces tensors by wrappers without memory: those of ``vmap`` hide an axis.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._C import DispatchKey, _functorch
from torch._ops import HigherOrderOperator


def higher_order_operators() -> frozenset[Callable[..., Any]]:
    """Return the operators that call functions."""
    return frozenset(torch._ops._higher_order_ops.values())


def kernel_of(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """Return what an operator that calls functions runs, whose calls a mode then sees; None for other functions."""
    if not isinstance(function, HigherOrderOperator):
        return None
    kernel: Callable[..., Any] | None = function.py_kernels.get(DispatchKey.CompositeExplicitAutograd)
    return kernel


def unmapped(tensor: Tensor) -> Tensor:
    """Return the tensor that the wrappers of transforms hold, with the axes that ``vmap`` hides in front."""
    while _functorch.is_functorch_wrapped_tensor(tensor):
        axis = _functorch.maybe_get_bdim(tensor)
        tensor = _functorch.get_unwrapped(tensor)
        if axis > 0:
            tensor = tensor.movedim(axis, 0)
    return tensor


def mapped_as(tensor: Tensor, like: Tensor) -> Tensor:
    """Return a tensor in the wrappers of another one, which hide its first axes."""
    levels = []
    while _functorch.is_functorch_wrapped_tensor(like):
        if _functorch.is_batchedtensor(like):
            levels.append(_functorch.maybe_get_level(like))
        like = _functorch.get_unwrapped(like)
    for level in reversed(levels):
        tensor = _functorch._add_batch_dim(tensor, 0, level)
    return tensor
