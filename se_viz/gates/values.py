"""What is known of the tensors of a forward pass and of the calls that made them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

Function: TypeAlias = Callable[..., Any]


class Frame(NamedTuple):
    """A run of a module: its path, and how many times it had run before in the pass."""

    path: str
    run: int


@dataclass(eq=False, slots=True)
class Call:
    """A call of a torch function.

    Attributes:
        index: position in the pass, on a clock that the runs of modules share.
        function: what was called.
        frames: the modules that were running, the outermost first.
        inputs: the values it took that the pass had computed.
        parameters: names of the network's parameters that it took.
        constants: how many numbers the largest other tensor has that it took; 0 for none.
        between: whether it keeps numbers between two bounds.
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
        call: which made it; None for the images.
        item: which of the tensors that the call returned.
        shape: its axes.
        is_map: whether it still has pixels: it comes from the images, and no operation has left it a single axis.
        source: the value whose numbers it shows, in another shape; None for one that was computed.
        data: a copy of its numbers if it has few.
    """

    call: Call | None
    item: int
    shape: torch.Size
    is_map: bool
    source: "Value | None" = field(repr=False)
    data: Tensor | None = field(repr=False)

    @property
    def origin(self) -> "Value":
        """The value whose numbers it shows; itself for one that was computed."""
        # No field refers to the value itself: such a circle would keep the memory of a device until it is found.
        return self if self.source is None else self.source

    @property
    def numel(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)

    @property
    def index(self) -> int:
        """When it was made; -1 for the images."""
        return -1 if self.call is None else self.call.index


@dataclass(slots=True)
class Clock:
    """Counts what happens in a pass."""

    now: int = 0

    def tick(self) -> int:
        """Go on by one, and return the time."""
        self.now += 1
        return self.now
