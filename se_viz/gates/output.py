"""Copies of the outputs of networks, in the memory of the CPU and without gradients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, cast

import torch
from torch import Tensor

from se_viz.weights.tensor_kinds import table_of

_DEEPEST = 20


def to_host(output: object) -> object:
    """Return the output of a network with copies of its tensors on the CPU, detached.

    Dictionaries, lists, tuples, named tuples and dataclasses are copied at any depth; other objects are kept.
    """
    return _map(output, lambda tensor: tensor.detach() if tensor.is_meta else tensor.detach().cpu().clone())


def joined(outputs: Sequence[object], sizes: Sequence[int]) -> object:
    """Return the outputs of several batches as one: tensors whose first axis is the batch are concatenated.

    If the outputs have different structures, or a tensor has no axis for the images, the result has a list of the
    values of all batches in that place. Sparse and quantised tensors that cannot be concatenated become dense.

    Args:
        outputs: outputs of one structure, from ``to_host``.
        sizes: number of images of each batch.
    """
    first = outputs[0]
    if len(outputs) == 1:
        return first
    if any(type(output) is not type(first) for output in outputs):
        return list(outputs)
    if isinstance(first, Tensor):
        return _joined_tensors([cast("Tensor", output) for output in outputs], sizes)
    if isinstance(first, list) and all(
        _is_by_image(cast("list[object]", o), n) for o, n in zip(outputs, sizes, strict=True)
    ):
        return [item for output in outputs for item in cast("list[object]", output)]
    parts = [_parts(output) for output in outputs]
    if parts[0] is None:
        return first if all(_same(first, output) for output in outputs) else list(outputs)
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or any(part.keys() != known[0].keys() for part in known):
        return list(outputs)
    merged = {key: joined([part[key] for part in known], sizes) for key in known[0]}
    return _rebuilt(first, merged)


def _joined_tensors(tensors: list[Tensor], sizes: Sequence[int]) -> object:
    if any(tensor.is_nested for tensor in tensors):
        parts = [part for tensor in tensors for part in tensor.unbind()]
        return torch.nested.nested_tensor(parts, layout=tensors[0].layout) if len(parts) == sum(sizes) else tensors
    if not any(tensor.is_quantized for tensor in tensors):  # they may differ in their steps
        try:
            return _concatenated(tensors, sizes)
        except (NotImplementedError, RuntimeError, TypeError):
            pass  # sparse and other layouts that cannot be concatenated
    tables = [table for tensor in tensors if (table := table_of(tensor)) is not None]
    return _concatenated(tables, sizes) if len(tables) == len(tensors) else tensors


def _concatenated(tensors: list[Tensor], sizes: Sequence[int]) -> object:
    whole = max(zip(tensors, sizes, strict=True), key=lambda pair: pair[1])[0]
    # An output that ends in ``squeeze()`` loses the axis of a single image.
    full = [
        tensor[None] if n == 1 and tensor.shape == whole.shape[1:] and whole.ndim else tensor
        for tensor, n in zip(tensors, sizes, strict=True)
    ]
    by_image = all(t.ndim and len(t) == n and t.shape[1:] == whole.shape[1:] for t, n in zip(full, sizes, strict=True))
    return torch.cat(full) if by_image else tensors


def _is_by_image(output: list[object], images: int) -> bool:
    """Return whether a list has one item per image; the levels of a pyramid have an axis for the images instead."""
    if len(output) != images:
        return False
    return not all(isinstance(item, Tensor) and item.ndim and len(item) == images for item in output)


def _same(one: object, other: object) -> bool:
    try:
        return one is other or bool(one == other)
    except (ValueError, RuntimeError, TypeError):
        return False  # the comparison has no single answer, as for arrays


def _map(value: object, change: Callable[[Tensor], object], depth: int = _DEEPEST) -> object:
    if isinstance(value, Tensor):
        return change(value)
    parts = _parts(value) if depth else None  # the limit ends the recursion for a container that contains itself
    if parts is None:
        return value
    return _rebuilt(value, {key: _map(part, change, depth - 1) for key, part in parts.items()})


def _parts(value: object) -> dict[object, object] | None:
    """Return the parts of a container by key; None for anything else."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | list):
        return dict(enumerate(value))
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None


def _rebuilt(value: object, parts: dict[object, object]) -> object:
    """Return a container of the same type with other parts; a plain tuple or dictionary if it cannot be made."""
    try:
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return cast("Any", type(value))(*parts.values())
        if isinstance(value, tuple | list):
            return type(value)(parts.values())
        if isinstance(value, dict):
            return cast("Any", type(value))(parts)
        return cast("Any", type(value))(**{str(key): part for key, part in parts.items()})
    except (TypeError, ValueError):
        return tuple(parts.values()) if isinstance(value, tuple) else parts
