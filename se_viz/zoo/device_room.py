"""Room for a network on a device: whether there is any, told before it is fetched or built."""

import torch

from se_viz.device.memory import require_memory
from se_viz.zoo import registry as catalogue

_BYTES = 4  # of a parameter, as networks are built


def check_memory(name: str, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
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
    require_memory(torch.device("cpu"), 2 * _BYTES * params, name)
    if device.type != "cpu":
        require_memory(device, dtype.itemsize * params, name)
