"""Tensors that hold the numbers of another tensor of a pass, although no call of a torch function made them.

``as_subclass``, a wrapper around a tensor and its removal, and C++ code return such tensors.
"""

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from se_viz.gates.values import Value
from se_viz.weights.tensor_kinds import has_memory, unwrapped


class Aliases:
    """Values of the tensors of a pass, by the memory that holds their numbers.

    Each entry refers weakly to its memory. While it does so, no other memory has the same identity, so no entry is
    taken for that of other numbers.
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[StorageWeakRef, tuple[object, ...], Value]] = {}

    def note(self, tensor: Tensor, value: Value) -> None:
        """Record what is known of a tensor, or of the tensor that it wraps."""
        inner = unwrapped(tensor)
        if has_memory(inner):
            storage = inner.untyped_storage()
            self._entries[storage._cdata] = StorageWeakRef(storage), _view(inner), value

    def find(self, tensor: Tensor) -> Value | None:
        """Return what is known of a tensor from another one with the same memory, read in the same way."""
        inner = unwrapped(tensor)
        if not has_memory(inner):
            return None
        entry = self._entries.get(inner.untyped_storage()._cdata)
        if entry is None or entry[1] != _view(inner):
            return None
        known = entry[2]
        return Value(known.call, known.item, tensor.shape, known.is_map, known.origin, known.data)


def _view(tensor: Tensor) -> tuple[object, ...]:
    return tensor.dtype, tensor.storage_offset(), tensor.shape, tensor.stride()
