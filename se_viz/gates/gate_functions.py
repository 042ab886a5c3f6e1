"""Gate functions: the functions that turn the output of the last FC layer into s."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class KnownFunction:
    """A gate function that is recognised by what it computes, independent of the module or code that applies it.

    Attributes:
        apply: the function.
        range: the lowest and the highest possible s; None if s has no upper bound.
    """

    apply: Callable[[Tensor], Tensor]
    range: tuple[float, float] | None


GATE_FUNCTIONS = {
    "sigmoid": KnownFunction(torch.sigmoid, (0.0, 1.0)),
    "hard-sigmoid": KnownFunction(torch.nn.functional.hardsigmoid, (0.0, 1.0)),
    "tanh": KnownFunction(torch.tanh, (-1.0, 1.0)),
    "relu": KnownFunction(torch.relu, None),
    "relu6": KnownFunction(torch.nn.functional.relu6, (0.0, 6.0)),
}


SOFTMAX = "softmax"
"""A softmax over the channels of an image: a gate function that is not applied to each channel by itself."""


def softmax_over_channels(logits: Tensor, of: Tensor) -> Tensor:
    """Return the softmax over the channels (N, C) of numbers of any shape, for N images as in ``of`` (N, …)."""
    return logits.reshape(len(of), -1).float().softmax(1).to(of.dtype)


def range_of(function: str) -> tuple[float, float] | None:
    """Return the lowest and the highest s that a gate function can give.

    Args:
        function: name of the function, as in ``Gate.gate_function``.

    Returns:
        The two ends of the range; None if the function is not known or has no upper bound.
    """
    known = GATE_FUNCTIONS.get(function)
    return known.range if known else None
