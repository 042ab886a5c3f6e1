"""Records of the tensors of a forward pass and of the calls that made them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from se_viz.types import Function


def other_handler(types: Iterable[type]) -> Function | None:
    """Return the ``__torch_function__`` of an object that is no tensor but stands for one; None without such an object.

    Such an object answers a call with other calls, which a mode does not see while it handles the first one.
    """
    return next((one.__torch_function__ for one in types if not issubclass(one, Tensor)), None)  # type: ignore[attr-defined]


class Frame(NamedTuple):
    """A run of a module: its path, and how many times it had run before in the pass."""

    path: str
    run: int


@dataclass(eq=False, slots=True)
class Call:
    """A call of a torch function.

    Attributes:
        index: time in the pass, on a clock shared with the runs of modules.
        function: the called function.
        frames: the modules that were running, the outermost first.
        inputs: the inputs that the pass had computed.
        parameters: names of the network's parameters among the inputs.
        constants: number of elements of the largest other input tensor; 0 if there is no such tensor.
        between: whether the call limits numbers to a range with two bounds.
    """

    index: int
    function: Function
    frames: tuple[Frame, ...]
    inputs: tuple["Value", ...] = field(repr=False)
    parameters: tuple[str, ...]
    constants: int = 0
    between: bool = False


@dataclass(eq=False, slots=True)
class Value:
    """A tensor that the pass has computed; the tensor itself is not kept alive.

    Attributes:
        call: the call that made it; None for the images.
        item: position among the tensors that the call returned.
        shape: its shape.
        is_map: whether it still has pixels: it comes from the images, and no operation has reduced it to a single axis.
        source: the value whose numbers it shows in another shape; None for a value that was computed.
        data: a copy of its numbers if there are few.
    """

    call: Call | None
    item: int
    shape: torch.Size
    is_map: bool
    source: "Value | None" = field(repr=False)
    data: Tensor | None = field(repr=False)

    @property
    def origin(self) -> "Value":
        """The value whose numbers it shows; the value itself if it was computed."""
        # No field refers to the value itself: such a cycle would keep device memory until the garbage collector runs.
        return self if self.source is None else self.source

    @property
    def numel(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def index(self) -> int:
        """The time at which it was made; -1 for the images."""
        return -1 if self.call is None else self.call.index


@dataclass(slots=True)
class Clock:
    """A counter of the events of a pass, used as its time."""

    now: int = 0

    def tick(self) -> int:
        """Advance by one, and return the time."""
        self.now += 1
        return self.now
