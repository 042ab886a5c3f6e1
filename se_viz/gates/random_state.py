"""Protection of the state of torch's random number generators, which a capture must not change."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def keeping_random_state(device: torch.device) -> Iterator[None]:
    """Restore the generators of the CPU and of a device if random numbers were drawn inside the block.

    The generators belong to the process: another thread that draws numbers meanwhile may draw the same ones again.
    """
    # The work for the CPU alone comes first and is kept small, because it is done at every capture.
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
