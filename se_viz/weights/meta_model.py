"""Architectures on torch's meta device: names and shapes of their tensors, with almost no memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from se_viz.types import Args, Classes, Function, Kwargs
from se_viz.weights.errors import TooDeep

# Maximum number of weights and biases of an architecture for an uploaded file: 2 GB in single precision.
LARGEST = 500_000_000

# Maximum number of calls of torch while a network is built. The libraries need up to 33,000 (maxvit_base_tf_512).
_MOST_CALLS = 100_000

# Maximum seconds to build a network. A sketch takes 0.1 s, the largest network a few seconds.
_LONGEST = 20.0


def sketched(make: Callable[[], nn.Module], numbers: bool = True) -> nn.Module:
    """Return the network that ``make`` returns, with its parameters on torch's meta device: shapes without numbers.

    Args:
        make: function that builds the network.
        numbers: whether to try again with numbers in tensors that are not parameters, if it cannot be built without.
    """
    try:
        with torch.device("meta"):
            return make()
    except Exception as error:
        if not numbers or isinstance(error, TooDeep):
            raise
        # Some builders compute with small tensors, which have no numbers on that device (torchvision's RegNet).
        with _Unfilled():
            return make()


@contextmanager
def bounded(called: str, seconds: float = _LONGEST) -> Iterator[None]:
    """Raise TooDeep in the block as soon as a network takes more calls of torch, or more time, than any real one.

    This ends the building of a network whose arguments make it extremely deep. The limits are checked at each call of
    torch; ``architecture_arguments.from_stranger`` limits the time of pure Python between two calls.

    Args:
        called: name of the network, for the message.
        seconds: the limit of time.
    """
    grad = torch.is_grad_enabled()
    try:
        with _Counted(called, seconds):
            yield
    finally:
        # The refused call may have been the one that restores grad mode.
        torch.set_grad_enabled(grad)


def count_params(network: nn.Module) -> int:
    """Return the number of weights and biases; BatchNorm's running statistics do not count."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_buffers(network: nn.Module) -> int:
    """Return the number of elements in buffers: running statistics, tables of positions, masks."""
    return sum(buffer.numel() for buffer in network.buffers())


def head_axes(shapes: Callable[[int], Mapping[str, Tensor]]) -> dict[str, int]:
    """Return the tensors that grow with the number of classes, and their axis: {"fc.weight": 0, "fc.bias": 0}.

    Args:
        shapes: function from the number of classes to the state dict of a sketch.
    """
    two, three = shapes(2), shapes(3)
    axes = {key: _growing(tensor.shape, three[key].shape) for key, tensor in two.items() if key in three}
    return {key: axis for key, axis in axes.items() if axis is not None}


def count_classes(state: Mapping[str, Tensor], axes: Mapping[str, int]) -> int | None:
    """Return the number of classes by the tensors of a file; None if they do not tell or disagree."""
    counts = {state[key].shape[axis] for key, axis in axes.items() if key in state and state[key].ndim > axis}
    return counts.pop() if len(counts) == 1 else None


def _growing(two: Sequence[int], three: Sequence[int]) -> int | None:
    return next((axis for axis, (a, b) in enumerate(zip(two, three, strict=False)) if a != b), None)


class _Counted(TorchFunctionMode):
    """A mode that counts calls of torch in this thread, and raises TooDeep after too many or too long a time."""

    def __init__(self, called: str, seconds: float) -> None:
        super().__init__()
        self.called = called
        self.ends = monotonic() + seconds
        self.calls = 0

    def __torch_function__(self, func: Function, types: Classes, args: Args = (), kwargs: Kwargs = None) -> object:
        self.calls += 1
        if self.calls > _MOST_CALLS or monotonic() >= self.ends:
            raise TooDeep(f"{self.called} takes too long to build with these arguments: use smaller values.")
        return func(*args, **(kwargs or {}))


class _Unfilled(TorchFunctionMode):
    """A mode in which ``torch.empty``, which layers use for their weights, allocates nothing."""

    def __torch_function__(self, func: Function, types: Classes, args: Args = (), kwargs: Kwargs = None) -> object:
        given = dict(kwargs or {})
        if func is torch.empty:
            given["device"] = "meta"
        return func(*args, **given)
