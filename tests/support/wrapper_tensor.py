"""A tensor that only holds another one, as DTensor and quantised weights do."""

from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map


class Wrapper(Tensor):
    """A tensor without memory that holds another one; whatever is computed with it is a wrapper, too."""

    @staticmethod
    def __new__(cls, held: Tensor) -> "Wrapper":
        return Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype, strides=held.stride())

    def __init__(self, held: Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = tree_map(lambda one: one.held if isinstance(one, Wrapper) else one, (args, kwargs or {}))
        return tree_map(lambda one: cls(one) if isinstance(one, Tensor) else one, func(*given[0], **given[1]))
