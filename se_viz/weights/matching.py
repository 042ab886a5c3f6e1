"""Comparison of the tensors of a checkpoint with those of a network."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from se_viz.weights.errors import Misfit, WeightsRefused

_SHOWN = 5

# Tensors not needed from a file: counters without effect in eval mode, and tables that the network computes itself.
COUNTERS = re.compile(r"(^|\.)(num_batches_tracked|n_averaged|num_updates|global_step|iteration|epoch)$")
TABLES = re.compile(
    r"(^|\.)(relative_(position_index|coords_table)|attn_mask|attention_bias_idxs|position_ids|rel_pos_idx|inv_freq)$"
)


@dataclass(frozen=True, slots=True)
class StateDictMismatch:
    """The differences between the tensors of a file and those of a network.

    Attributes:
        missing: names in the network that are not in the file.
        unexpected: names in the file that are not in the network.
        shapes: name, shape in the file and shape in the network, of tensors in both whose shapes differ.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    shapes: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.shapes)

    def __str__(self) -> str:
        return "; ".join(f"{len(listed)} {what}: {some(listed)}" for what, listed in self._parts() if listed)

    def counts(self) -> str:
        """Return a phrase with the number of tensors of each difference, without their names."""
        counts = [f"{len(listed)} {what}" for what, listed in self._parts() if listed]
        total = sum(len(listed) for _, listed in self._parts())
        return f"{total} tensor{'s differ' if total > 1 else ' differs'} ({', '.join(counts)})"

    def _parts(self) -> tuple[tuple[str, Sequence[str]], ...]:
        wrong = [f"{name} is {_times(there)} and should be {_times(here)}" for name, there, here in self.shapes]
        return ("missing", self.missing), ("unexpected", self.unexpected), ("of another shape", wrong)


def computed(name: str) -> bool:
    """Return whether a tensor is a counter or a table that is not needed from a file."""
    return bool(COUNTERS.search(name) or TABLES.search(name))


def replaceable(name: str, tensor: Tensor, present: Tensor) -> bool:
    """Return whether a tensor is a counter or table of the wrong type, in whose place the network's own may stay.

    ``{key: value.half() …}`` and averages of several checkpoints turn counters of batches into floating-point numbers.
    """
    return computed(name) and tensor.is_floating_point() != present.is_floating_point() and not tensor.is_complex()


def difference(state: Mapping[str, Tensor], network: Mapping[str, Tensor]) -> StateDictMismatch:
    """Return the names and shapes in which two state dicts differ.

    A missing counter or table that is not needed from a file does not count, see ``computed``: older files lack
    ``num_batches_tracked``, which has no effect in eval mode.
    """
    return StateDictMismatch(
        missing=tuple(key for key in network if key not in state and not computed(key)),
        unexpected=tuple(key for key in state if key not in network),
        shapes=tuple(
            (key, tuple(state[key].shape), tuple(value.shape))
            for key, value in network.items()
            if key in state and state[key].shape != value.shape
        ),
    )


def check_fit(
    state: Mapping[str, Tensor], network: Mapping[str, Tensor], name: str, called: str = "the network"
) -> None:
    """Raise WeightsRefused if tensors under the names of a network cannot become its weights; it says which.

    Args:
        state: tensors of the file.
        network: tensors of the network, which may be on the meta device.
        name: name of the file.
        called: name of the network.

    Raises:
        Misfit: names or shapes differ.
        WeightsRefused: a tensor is sparse, quantised, of another type, or contains NaN or infinity.
    """
    differs = difference(state, network)
    if differs:
        raise Misfit(name, called, f"{differs.counts()}.", f"{differs}.")
    odd = [f"{key} {what}" for key, tensor in state.items() if (what := _odd(key, tensor, network[key]))]
    if odd:
        raise WeightsRefused(f"{name} contains unusable tensors: {some(odd)}.")


def _odd(name: str, tensor: Tensor, own: Tensor) -> str:
    """Return why a tensor of the right shape cannot be a weight, or ""."""
    if tensor.is_quantized:
        return "is quantised"
    if tensor.layout != torch.strided:
        return "is sparse"
    if tensor.is_meta:
        return "is a shape without numbers"
    if replaceable(name, tensor, own):
        return ""
    if tensor.is_floating_point() != own.is_floating_point() or tensor.is_complex() != own.is_complex():
        return f"is of type {str(tensor.dtype).removeprefix('torch.')}"
    if not tensor.is_floating_point() or not tensor.numel():
        return ""
    # Numbers of 8 bits cannot be compared. If there is a NaN, it is both the smallest and the largest number.
    ends = (tensor.float() if tensor.itemsize == 1 else tensor).aminmax()
    return "" if bool(ends.min.isfinite() and ends.max.isfinite()) else "contains NaN or infinity"


def some(listed: Iterable[str], shown: int = _SHOWN) -> str:
    """Return the first few names, and the number of the others, as one phrase."""
    # Names in a file may contain control sequences of a terminal.
    names = [name if name.isprintable() else ascii(name) for name in listed]
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "a single number"
