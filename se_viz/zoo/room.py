"""Room for a network on a device: whether there is any, told before it is fetched or built, and the move there."""

from typing import TypeVar

import torch
from torch import nn

from se_viz.zoo import catalogue
from se_viz.zoo.device import reproducible
from se_viz.zoo.memory import claim, room_on

Network = TypeVar("Network", bound=nn.Module)

_BYTES = 4  # of a parameter, as networks are built


def expect_room(name: str, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
    """Compare what a network's weights will take with what is free; what was registered is not known and passes.

    It is built in the memory of the CPU, which holds them twice at its height, whatever the device: the network and
    the tensors of its file, and on a CPU later the network and its fast twin.

    Args:
        name: as ``catalogue.build`` takes it.
        device, dtype: where the network is to go, and the type of its numbers there.

    Raises:
        UnknownModel: no model has that name.
        DeviceFull: there is not enough.
    """
    params = catalogue.params(name)
    if params is None:
        return
    claim(torch.device("cpu"), 2 * _BYTES * params, name)
    if device.type != "cpu":
        claim(device, dtype.itemsize * params, name)


def moved(network: Network, device: torch.device, name: str) -> Network:
    """Move a network to a device, and let the same input give the same numbers there, see ``device.reproducible``.

    Raises:
        DeviceFull: there is no room for it; the message calls it by ``name``.
    """
    reproducible(device)
    with room_on(device, name):
        return network.to(device)
