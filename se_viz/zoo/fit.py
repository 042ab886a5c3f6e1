"""Fitting the tensors of a checkpoint to a network, and saying where they differ."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from se_viz.zoo.errors import WeightsRefused

_SHOWN = 5

# No name of a tensor has so many parts; one that has would take long to be cut at each of them.
_DEEPEST = 30


@dataclass(frozen=True, slots=True)
class Difference:
    """How the tensors of a file differ from those of a network.

    Attributes:
        missing: names of the network that the file does not have.
        unexpected: names of the file that the network does not have.
        shapes: name, shape in the file and shape in the network, where both have it.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    shapes: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.shapes)

    def __str__(self) -> str:
        wrong = [f"{name} is {_times(there)} and should be {_times(here)}" for name, there, here in self.shapes]
        parts = (("missing", self.missing), ("unexpected", self.unexpected), ("of another shape", wrong))
        return "; ".join(f"{len(listed)} {what}: {_some(listed)}" for what, listed in parts if listed)


def renamed(state: Mapping[str, Tensor], network: Iterable[str]) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the names of a network's state dict.

    Trainers, wrappers and compilers put something before the names: ``state_dict.``, ``module.``, ``_orig_mod.``.
    Whatever stands before most of them is taken off, and what does not begin with it left out: an optimiser's tensors,
    a loss's, a second copy of the weights.
    """
    wanted = set(network)
    prefixes = Counter(prefix for name in state for prefix in _before(name, wanted))
    if not prefixes:
        return dict(state)
    # The first in the file of those that stand before equally many: the weights come before their moving average.
    prefix = prefixes.most_common(1)[0][0]
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def difference(state: Mapping[str, Tensor], network: Mapping[str, Tensor]) -> Difference:
    """Names and shapes in which two state dicts differ.

    A missing ``num_batches_tracked``, which older files lack, is no difference: nothing depends on it in eval mode.
    """
    return Difference(
        missing=tuple(key for key in network if key not in state and not key.endswith("num_batches_tracked")),
        unexpected=tuple(key for key in state if key not in network),
        shapes=tuple(
            (key, tuple(state[key].shape), tuple(value.shape))
            for key, value in network.items()
            if key in state and state[key].shape != value.shape
        ),
    )


def check_fit(state: Mapping[str, Tensor], network: Mapping[str, Tensor], name: str) -> None:
    """Raise WeightsRefused where tensors, named as the network's are, cannot become its weights; it says which.

    Args:
        state: the file's.
        network: the network's own, which may lie on the meta device.
        name: of the file.
    """
    differs = difference(state, network)
    if differs:
        raise WeightsRefused(f"{name} does not fit the network. {str(differs)[0].upper()}{str(differs)[1:]}.")
    odd = [f"{key} {what}" for key, tensor in state.items() if (what := _odd(tensor, network[key]))]
    if odd:
        raise WeightsRefused(f"{name} does not hold plain numbers: {_some(odd)}.")


def _before(name: str, wanted: set[str]) -> Iterable[str]:
    """What may be taken off a name so that it is one of the network's: of "a.b.weight", "" or "a." or "a.b."."""
    start = 0
    for _ in range(_DEEPEST):
        if name[start:] in wanted:
            yield name[:start]
        start = name.find(".", start) + 1
        if not start:
            return


def _odd(tensor: Tensor, own: Tensor) -> str:
    """Why a tensor of the right shape is no weight of a network, or nothing."""
    if tensor.is_quantized:
        return "is quantised"
    if tensor.layout != torch.strided:
        return "is sparse"
    if tensor.is_meta:
        return "is a shape without numbers"
    if tensor.is_floating_point() != own.is_floating_point() or tensor.is_complex() != own.is_complex():
        return f"is of type {str(tensor.dtype).removeprefix('torch.')}"
    if not tensor.is_floating_point() or not tensor.numel():
        return ""
    # Numbers of 8 bits cannot be compared. NaN is both the smallest and the largest wherever there is one.
    ends = (tensor.float() if tensor.itemsize == 1 else tensor).aminmax()
    return "" if bool(ends.min.isfinite() and ends.max.isfinite()) else "holds NaN or infinity"


def _some(listed: Iterable[str]) -> str:
    # A file may name its tensors so that a terminal obeys.
    names = [name if name.isprintable() else ascii(name) for name in listed]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"
