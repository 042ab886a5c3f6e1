"""Moving a network to a device."""

from typing import TypeVar

import torch
from torch import nn

from se_viz.device.devices import set_deterministic
from se_viz.device.memory import raise_if_full

Network = TypeVar("Network", bound=nn.Module)


def moved(network: Network, device: torch.device, name: str) -> Network:
    """Return the network, moved to a device that is made deterministic first, see ``devices.set_deterministic``.

    Raises:
        DeviceFull: the device has too little memory for it; the message calls the network by ``name``.
    """
    set_deterministic(device)
    with raise_if_full(device, name):
        return network.to(device)
