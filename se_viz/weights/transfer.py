"""Transfer of tensors between processes: the bytes of their storages, and their layout in these.

Tensors that share a storage share it afterwards, and an expanded tensor stays expanded: nothing is copied or grows.
"""

import json
from typing import Any

import torch
from torch import Tensor

from se_viz.sandbox import Ended, messages
from se_viz.weights.errors import WeightsRefused

# Maximum bytes of the description of all tensors; that of 20,000 tensors takes 4 million.
_LONGEST = 16_000_000
_MOST_AXES = 64
_LARGEST = 2**62

_DTYPES = {str(dtype): dtype for dtype in vars(torch).values() if isinstance(dtype, torch.dtype)}

# Kinds of tensors; only strided ones keep their numbers, because no network takes the others.
_STRIDED, _META, _SPARSE, _QUANTISED = "strided", "meta", "sparse", "quantised"


def packed(tensors: dict[str, Tensor], name: str, largest: int) -> messages.Value:
    """Return tensors as a value that can be sent to another process.

    Args:
        tensors: tensors on the CPU, by their names.
        name: name of their file, for messages.
        largest: maximum number of bytes of all storages together.

    Raises:
        WeightsRefused: the storages have more bytes, or the tensors too many axes to be described.
    """
    storages: dict[int, int] = {}  # address of a storage → its index
    content: list[memoryview] = []
    entries: list[list[object]] = []
    for key, given in tensors.items():
        tensor = given.detach()
        kind, place, offset, stride = _kind(tensor), 0, 0, []
        if kind == _STRIDED:
            tensor = tensor.resolve_conj().resolve_neg()
            storage = tensor.untyped_storage()
            # By address: tensors that share a storage have different objects for it.
            place = storages.setdefault(storage._cdata, len(content))
            if place == len(content):
                content.append(torch.empty(0, dtype=torch.uint8).set_(storage).numpy().data)
            offset, stride = int(tensor.storage_offset()), list(tensor.stride())
        entries.append([key, kind, str(tensor.dtype), place, offset, list(tensor.shape), stride])
    size = sum(storage.nbytes for storage in content)
    if size > largest:
        raise WeightsRefused(f"{name} would unpack to {size / 1e6:,.0f} MB; the limit is {largest / 1e6:,.0f}.")
    description = json.dumps(entries).encode()
    if len(description) > _LONGEST:
        raise WeightsRefused(f"{name} has tensors with too many axes, more than any network.")
    return [description, *content]


def unpacked(value: messages.Value) -> dict[str, Tensor]:
    """Return the tensors of a value that ``packed`` made; raise Ended for another value."""
    try:
        description, *content = value
        storages = [_storage(storage) for storage in content]
        return {str(key): _tensor(storages, *rest) for key, *rest in _entries(description)}
    except (ValueError, TypeError, LookupError, RuntimeError, OverflowError, RecursionError) as error:
        raise Ended("died", "made the process that read it send an invalid result") from error


def _entries(description: bytearray) -> Any:  # noqa: ANN401 - JSON
    if len(description) > _LONGEST:
        raise ValueError("The description is too long.")
    return json.loads(description)


def _kind(tensor: Tensor) -> str:
    if tensor.is_quantized:
        return _QUANTISED
    if tensor.layout != torch.strided:
        return _SPARSE
    return _META if tensor.is_meta else _STRIDED


def _storage(content: bytearray) -> torch.UntypedStorage:
    return torch.frombuffer(content, dtype=torch.uint8).untyped_storage() if content else torch.UntypedStorage(0)


def _tensor(
    storages: list[torch.UntypedStorage],
    kind: str,
    named: str,
    place: int,
    offset: int,
    shape: list[int],
    stride: list[int],
) -> Tensor:
    """Return a tensor by its description, after checking that all of its elements are in its storage."""
    dtype = _DTYPES[named]
    sizes: list[Any] = [*shape, *stride, offset]
    if len(shape) > _MOST_AXES or not all(type(size) is int and 0 <= size < _LARGEST for size in sizes):
        raise ValueError("The shape is invalid.")
    if kind == _META:
        return torch.empty(shape, dtype=dtype, device="meta")
    if kind == _SPARSE:
        return torch.sparse_coo_tensor(
            torch.zeros((len(shape), 0), dtype=torch.int64), torch.zeros(0), shape, check_invariants=True
        )
    if kind == _QUANTISED:
        one = torch.quantize_per_tensor(torch.zeros(1), 1.0, 0, torch.qint8)
        return one.as_strided(shape, [0] * len(shape))
    last = offset + sum((count - 1) * step for count, step in zip(shape, stride, strict=True))
    if kind != _STRIDED or (0 not in shape and (last + 1) * dtype.itemsize > storages[place].nbytes()):
        raise ValueError("The tensor is not within its storage.")
    if 0 in shape:
        return torch.empty(shape, dtype=dtype)
    return torch.empty(0, dtype=dtype).set_(storages[place], offset, shape, stride)
