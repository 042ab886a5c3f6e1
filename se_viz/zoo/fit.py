"""Fitting the tensors of a checkpoint to a network, and saying where they differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from se_viz.zoo.errors import WeightsRefused

# What wrappers put before every name: of several GPUs, of a trainer, of the compiler.
_PREFIXES = ("module.", "model.", "_orig_mod.", "network.", "net.", "backbone.")

_SHOWN = 5


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


def fitted(state: Mapping[str, Tensor], network: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the names of a network's state dict.

    Prefixes that all names of the file share (``module.``, ``model.``) are taken off where that fits better. A missing
    ``num_batches_tracked``, which older files lack, is made up, as nothing depends on it in eval mode.

    Args:
        state: the file's.
        network: the network's own, which may lie on the meta device.
        name: of the file.

    Raises:
        WeightsRefused: names or shapes differ; the message says which.
    """
    best = max(_stripped(state), key=lambda candidate: len(candidate.keys() & network.keys()))
    counters = {key: value for key, value in network.items() if key.endswith("num_batches_tracked") and key not in best}
    differs = difference({**counters, **best}, network)
    if differs:
        raise WeightsRefused(f"{name} does not fit the network. {str(differs)[0].upper()}{str(differs)[1:]}.")
    return best


def difference(state: Mapping[str, Tensor], network: Mapping[str, Tensor]) -> Difference:
    """Names and shapes in which two state dicts differ."""
    return Difference(
        missing=tuple(key for key in network if key not in state),
        unexpected=tuple(key for key in state if key not in network),
        shapes=tuple(
            (key, tuple(state[key].shape), tuple(value.shape))
            for key, value in network.items()
            if key in state and state[key].shape != value.shape
        ),
    )


def _stripped(state: Mapping[str, Tensor]) -> Iterable[dict[str, Tensor]]:
    """The state dict as it is, then with one shared prefix less each time."""
    current = dict(state)
    yield current
    while prefix := next(
        (each for each in _PREFIXES if current and all(key.startswith(each) for key in current)), None
    ):
        current = {key.removeprefix(prefix): value for key, value in current.items()}
        yield current


def _some(listed: Iterable[str]) -> str:
    names = list(listed)
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"
