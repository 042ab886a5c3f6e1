"""The state of torch's random number generators, which no reading may change."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def keeping_random_state(device: torch.device) -> Iterator[None]:
    """Give the generators of the CPU and of a device the state they had, if something inside the block has drawn.

    They are the whole process's: what another thread draws meanwhile it may draw again.
    """
    # What the CPU alone needs comes first: it is paid at every capture.
    before = torch.get_rng_state()
    module: Any = None if device.type == "cpu" else torch.get_device_module(device)
    there = module.get_rng_state(device) if hasattr(module, "get_rng_state") else None
    try:
        yield
    finally:
        if not torch.equal(before, torch.get_rng_state()):
            torch.set_rng_state(before)
        if there is not None and not torch.equal(there, module.get_rng_state(device)):
            module.set_rng_state(there, device)
