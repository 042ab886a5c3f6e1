"""The state of torch's random number generators, which no reading may change."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def keeping_random_state(device: torch.device) -> Iterator[None]:
    """Give the generators of the CPU and of a device the state they had, if something inside the block has drawn.

    They are the whole process's: what another thread draws meanwhile it may draw again.
    """
    before = _states(device)
    try:
        yield
    finally:
        after = _states(device)
        # As bytes: comparing tensors takes longer than all the rest.
        changed = [one.numpy().tobytes() != other.numpy().tobytes() for one, other in zip(before, after, strict=True)]
        if changed[0]:
            torch.set_rng_state(before[0])
        if any(changed[1:]):
            torch.get_device_module(device).set_rng_state(before[1], device)


def _states(device: torch.device) -> list[torch.Tensor]:
    states = [torch.get_rng_state()]
    if device.type != "cpu":
        module = torch.get_device_module(device)
        if hasattr(module, "get_rng_state"):
            states.append(module.get_rng_state(device))
    return states
