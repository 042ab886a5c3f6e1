"""An architecture without its numbers: what tensors it has and of what shape, for next to no memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from se_viz.weights.errors import TooDeep

# Weights and biases: an architecture of more is not built for a file that somebody brings, 2 GB in single precision.
LARGEST = 500_000_000


# Calls of torch while a network is built; the most that one of the libraries' takes is 33,000 (maxvit_base_tf_512).
_MOST_CALLS = 100_000

# Seconds; a sketch takes a tenth of one, the largest network some.
_LONGEST = 20.0


def sketched(make: Callable[[], nn.Module], numbers: bool = True) -> nn.Module:
    """Return what ``make`` returns, its parameters on torch's meta device: shapes without numbers.

    Args:
        make: of the network.
        numbers: whether to try with numbers in tensors that are no parameters, where it cannot be made without.
    """
    try:
        with torch.device("meta"):
            return make()
    except Exception as error:
        if not numbers or isinstance(error, TooDeep):
            raise
        # Some builders compute with small tensors, which that device has no numbers for (torchvision's RegNet).
        with _Unfilled():
            return make()


@contextmanager
def bounded(called: str, seconds: float = _LONGEST) -> Iterator[None]:
    """Raise TooDeep inside the block as soon as a network takes more calls of torch, or more time, than any would.

    This is what ends the building of a network whose arguments make it endlessly deep. It is looked at with each call
    of torch; how long pure Python may take between two of them, ``arguments.from_stranger`` bounds.

    Args:
        called: its name, for the message.
        seconds: the limit of time.
    """
    grad = torch.is_grad_enabled()
    try:
        with _Counted(called, seconds):
            yield
    finally:
        # The call that was refused may have been the one that gives grad mode back.
        torch.set_grad_enabled(grad)


def count_params(network: nn.Module) -> int:
    """Return the number of weights and biases; BatchNorm's running statistics do not count."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_buffers(network: nn.Module) -> int:
    """Return how many numbers a network has in buffers: running statistics, tables of positions, masks."""
    return sum(buffer.numel() for buffer in network.buffers())


def head_axes(shapes: Callable[[int], Mapping[str, Tensor]]) -> dict[str, int]:
    """Which tensors grow with the number of classes, and along which axis: {"fc.weight": 0, "fc.bias": 0}.

    Args:
        shapes: number of classes → the state dict of a sketch.
    """
    two, three = shapes(2), shapes(3)
    axes = {key: _growing(tensor.shape, three[key].shape) for key, tensor in two.items() if key in three}
    return {key: axis for key, axis in axes.items() if axis is not None}


def count_classes(state: Mapping[str, Tensor], axes: Mapping[str, int]) -> int | None:
    """How many classes the tensors of a file are for; None where they do not say, or contradict each other."""
    counts = {state[key].shape[axis] for key, axis in axes.items() if key in state and state[key].ndim > axis}
    return counts.pop() if len(counts) == 1 else None


def _growing(two: Sequence[int], three: Sequence[int]) -> int | None:
    return next((axis for axis, (a, b) in enumerate(zip(two, three, strict=False)) if a != b), None)


class _Counted(TorchFunctionMode):
    """Counts calls of torch inside it, in this thread, and ends what makes too many or takes too long."""

    def __init__(self, called: str, seconds: float) -> None:
        super().__init__()
        self.called = called
        self.ends = monotonic() + seconds
        self.calls = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever func returns
        self.calls += 1
        if self.calls > _MOST_CALLS or monotonic() >= self.ends:
            raise TooDeep(f"{self.called} takes too long to build with these arguments: take smaller ones.")
        return func(*args, **(kwargs or {}))


class _Unfilled(TorchFunctionMode):
    """Inside it ``torch.empty``, by which layers make their weights, reserves nothing; other tensors are as always."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever func returns
        given = dict(kwargs or {})
        if func is torch.empty:
            given["device"] = "meta"
        return func(*args, **given)
