"""Moving a network to a device."""

from typing import TypeVar

import torch
from torch import nn

from se_viz.device.devices import set_deterministic
from se_viz.device.memory import raise_if_full

Network = TypeVar("Network", bound=nn.Module)


def moved(network: Network, device: torch.device, name: str) -> Network:
    """Move a network to a device, and let the same input give the same numbers there, see ``device.set_deterministic``.

    Raises:
        DeviceFull: there is no room for it; the message calls it by ``name``.
    """
    set_deterministic(device)
    with raise_if_full(device, name):
        return network.to(device)
