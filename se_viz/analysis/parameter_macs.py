"""Multiply-accumulates by the parameters that take part in them, for gates that are not modules."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter
from torch.utils.weak import WeakTensorKeyDictionary

from se_viz.types import Args, Classes, Function, Kwargs


class HasMacs(Protocol):
    """An object with a count of multiply-accumulates."""

    macs: int


class _Counted(Protocol):
    @property
    def macs(self) -> int: ...


class ParameterMacs(TorchFunctionMode):
    """A mode that adds the multiply-accumulates of each torch function to the owner of its parameters.

    Args:
        owners: owners by the id of a parameter. Tensors computed from parameters alone, such as a transposed weight,
            belong to the same owner.
        count: the count of everything that runs, see ``gates.macs.counting``.
    """

    def __init__(self, owners: Mapping[int, HasMacs], count: _Counted) -> None:
        super().__init__()
        self._owners = owners
        self._count = count
        self._made = WeakTensorKeyDictionary()

    def __torch_function__(self, func: Function, types: Classes, args: Args = (), kwargs: Kwargs = None) -> object:
        """Run a function and add its multiply-accumulates to the owner."""
        taken = [value for value in tree_iter((args, kwargs)) if isinstance(value, Tensor)]
        owned = [owner for value in taken if (owner := self._owner(value)) is not None]
        before = self._count.macs if owned else 0
        result = func(*args, **(kwargs or {}))
        if owned:
            owned[0].macs += self._count.macs - before
            if len(owned) == len(taken):
                for value in tree_iter(result):
                    if isinstance(value, Tensor):
                        self._made[value] = owned[0]
        return result

    def _owner(self, value: Tensor) -> HasMacs | None:
        owner: HasMacs | None = self._owners.get(id(value)) or self._made.get(value)
        return owner
