"""Gate functions: what makes s of the numbers that the last FC layer puts out."""

from collections.abc import Callable

import torch
from torch import Tensor

# Recognised by what they compute, whatever module or code applies them.
GATE_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "hard-sigmoid": torch.nn.functional.hardsigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "relu6": torch.nn.functional.relu6,
}
