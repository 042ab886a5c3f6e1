"""An architecture without its numbers: what tensors it has and of what shape, for next to no memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# Weights and biases: an architecture of more is not built for a file that somebody brings, 2 GB in single precision.
LARGEST = 500_000_000


def sketched(make: Callable[[], nn.Module]) -> nn.Module:
    """What ``make`` returns, its parameters on torch's meta device: shapes without numbers."""
    try:
        with torch.device("meta"):
            return make()
    except Exception:  # noqa: BLE001 - networks fail on that device in ways of their own
        # Some builders compute with small tensors, which that device has no numbers for (torchvision's RegNet).
        with _Unfilled():
            return make()


def count_params(network: nn.Module) -> int:
    """Weights and biases; BatchNorm's running statistics do not count."""
    return sum(parameter.numel() for parameter in network.parameters())


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
