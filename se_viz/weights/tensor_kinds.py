"""Tensors that are not plain tables of numbers: sparse, nested, quantised, on the meta device, in 8 bits."""

from collections.abc import Iterable, Iterator
from math import nan

import torch
from torch import Tensor
from torch.masked import MaskedTensor
from torch.utils._pytree import tree_iter

from se_viz.types import Array, Float32s, Floats

_COMPRESSED_ROWS = (torch.sparse_csr, torch.sparse_bsr)
_COMPRESSED_COLUMNS = (torch.sparse_csc, torch.sparse_bsc)


def with_axes(values: object) -> list[Tensor]:
    """Return the tensors in containers of any depth, without nested ones, whose axes have no single length."""
    return [value for value in tree_iter(values) if isinstance(value, Tensor) and not value.is_nested]


def is_dense(tensor: Tensor) -> bool:
    """Return whether a tensor is a table of numbers that can be indexed, reshaped and expanded."""
    plain = tensor.layout is torch.strided and not tensor.is_nested and not tensor.is_meta
    return plain and not (tensor.is_quantized and tensor.qscheme() is not torch.per_tensor_affine)


def singles(tensor: Tensor) -> Float32s:
    """Return the numbers of a tensor in single precision, without gradients; NumPy has no bfloat16."""
    array: Float32s = tensor.detach().float().cpu().numpy()
    return array


def doubles(tensor: Tensor) -> Floats:
    """Return the numbers of a tensor in double precision, which not every device has, without gradients."""
    array: Floats = tensor.detach().cpu().double().numpy()
    return array


def kind_of(tensor: Tensor) -> str:
    """Return the kind of a tensor that cannot be used as a table of numbers, as an adjective; "" for others."""
    if tensor.is_nested or tensor.is_quantized:
        return "nested" if tensor.is_nested else "quantised"
    if tensor.is_meta:
        return "empty (on the meta device)"
    layout = str(tensor.layout).removeprefix("torch.").strip("_")
    return "" if layout == "strided" else f"sparse ({layout[7:]})" if layout.startswith("sparse_") else layout


def table_of(value: object) -> Tensor | None:
    """Return a tensor with the same numbers that can be computed with; None for anything else.

    Sparse tensors become dense, quantised ones floats; nested and masked ones have no numbers in some places. Gradients
    pass where the kind of tensor has any.
    """
    if not isinstance(value, Tensor) or value.is_nested or value.is_meta or isinstance(value, MaskedTensor):
        return None
    if type(value) is not Tensor:
        numbers = plain(value)
        if numbers is None:
            return None
        value = numbers
    if value.is_quantized:
        return value.dequantize()
    if value.layout is not torch.strided:
        return value.to_dense()
    return value.float() if value.is_floating_point() and value.itemsize == 1 else value


def array_of(value: object) -> Array | None:
    """Return the numbers of a tensor of floats in memory, float32 if it has fewer bits; None for other tensors."""
    table = table_of(value)
    if table is None or not table.is_floating_point():
        return None
    try:
        array: Array = (table.float() if table.itemsize < 4 else table).numpy()
    except (RuntimeError, TypeError):
        return None  # a tensor of a subclass that has no array
    return array


def unwrapped(tensor: Tensor) -> Tensor:
    """Return the tensor that a wrapper without memory holds, if it holds one of its shape and device; others unchanged.

    Such a wrapper is a subclass of Tensor that was made with ``_make_wrapper_subclass``, as DTensor is. It may hold
    another wrapper.
    """
    if type(tensor) is Tensor or isinstance(tensor, MaskedTensor) or has_memory(tensor):
        return tensor
    held = {id(one): one for one in _held(tensor) if isinstance(one, Tensor) and not one.is_nested}.values()
    inner = [one for one in held if (one.shape, one.device, one.dtype) == (tensor.shape, tensor.device, tensor.dtype)]
    if len(inner) != 1:
        return tensor
    found = unwrapped(inner[0])
    return found if has_memory(found) else tensor


def _held(wrapper: Tensor) -> Iterator[object]:
    """Yield what a wrapper has in its attributes and slots."""
    yield from getattr(wrapper, "__dict__", {}).values()
    for kind in type(wrapper).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            yield getattr(wrapper, name, None)


def plain(tensor: Tensor) -> Tensor | None:
    """Return a tensor of no subclass with the same numbers; None if a wrapper does not give its numbers."""
    if type(tensor) is Tensor or isinstance(tensor, MaskedTensor):
        return None if isinstance(tensor, MaskedTensor) else tensor
    try:
        # A subclass may replace functions, and those need not know what is asked of a tensor here.
        with torch._C.DisableTorchFunction():
            inner = unwrapped(tensor)
            if has_memory(inner) or inner.layout is not torch.strided:
                return inner.as_subclass(Tensor)
            if hasattr(tensor, "full_tensor"):  # a DTensor that is spread over processes
                return plain(tensor.full_tensor())
            return _copied(tensor)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return None


def _copied(wrapper: Tensor) -> Tensor | None:
    """Return the numbers that a wrapper writes into another tensor; None if it does not write all of them."""
    if not wrapper.is_floating_point():
        return None
    written = [torch.full(wrapper.shape, number, dtype=wrapper.dtype, device=wrapper.device) for number in (nan, 0.0)]
    for copy in written:
        copy.copy_(wrapper.detach())
    one, other = (copy.nan_to_num(1.0) for copy in written)
    return written[1] if torch.equal(one, other) else None


def beside(tensor: Tensor, neighbour: Tensor) -> Tensor:
    """Return a plain tensor so that an operation takes it beside another: as a DTensor beside a DTensor."""
    mesh = getattr(neighbour, "device_mesh", None)
    if mesh is None or type(tensor) is not Tensor:
        return tensor
    from torch.distributed.tensor import DTensor, Replicate  # noqa: PLC0415 - slow, and rarely needed

    return DTensor.from_local(tensor, mesh, [Replicate()] * mesh.ndim, run_check=False)


def has_memory(tensor: Tensor) -> bool:
    """Return whether a tensor has memory, which sparse tensors and wrappers lack."""
    try:
        return tensor.untyped_storage().data_ptr() != 0
    except (RuntimeError, NotImplementedError):
        return False


def numbers_of(values: Iterable[object]) -> list[Tensor]:
    """Return dense tensors that together have the numbers of all tensors in containers of any depth.

    Of a sparse tensor these are its positions and its values, so that it needs no memory for its zeros; of a nested
    tensor, its parts. A tensor on the meta device has none.
    """
    found: list[Tensor] = []
    for leaf in tree_iter(values):
        if not isinstance(leaf, Tensor) or leaf.is_meta:
            continue
        if leaf.is_nested:
            found += numbers_of(leaf.unbind())
        elif leaf.layout is torch.sparse_coo:
            whole = leaf.detach().coalesce()
            found += [whole.indices(), *numbers_of([whole.values()])]
        elif leaf.layout in _COMPRESSED_ROWS:
            found += [leaf.crow_indices(), leaf.col_indices(), *numbers_of([leaf.values()])]
        elif leaf.layout in _COMPRESSED_COLUMNS:
            found += [leaf.ccol_indices(), leaf.row_indices(), *numbers_of([leaf.values()])]
        elif (table := table_of(leaf)) is not None:
            found.append(table)
    return found
