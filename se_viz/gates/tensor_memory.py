"""The memory of tensors: which of them share it, and how often it has been written to."""

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy


def version(tensor: Tensor) -> int:
    """Return how often a tensor has been written to; 0 if it was made in inference mode or is not initialised."""
    return 0 if is_lazy(tensor) or tensor.is_inference() else tensor._version


def shows(view: Tensor, source: Tensor) -> bool:
    """Return whether a tensor holds exactly the numbers of another, reshaped, permuted or expanded."""
    return view.numel() >= source.numel() and view.dtype == source.dtype and same_storage(view, source)


def same_storage(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors are views of the same memory."""
    if a.layout != torch.strided or b.layout != torch.strided:
        return False
    try:
        return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr() != 0
    except (RuntimeError, NotImplementedError):
        return False  # a tensor of a subclass without storage
