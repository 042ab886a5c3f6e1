"""A check of memory before a network is downloaded or built."""

import torch

from se_viz.device.memory import require_memory
from se_viz.zoo import registry

_BYTES = 4  # of each parameter: networks are built in fp32


def check_memory(name: str, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
    """Raise DeviceFull if the weights of a network need more memory than is free; registered models are not checked.

    For every device the network is built in the memory of the CPU, which at the peak contains its weights twice: in the
    network and in the tensors of its file, and on a CPU later in the network and its fast copy.

    Args:
        name: name of the model, see ``registry.build``.
        device, dtype: device of the network, and the type of its numbers there.

    Raises:
        UnknownModel: no model has that name.
        DeviceFull: there is not enough memory.
    """
    params = registry.params(name)
    if params is None:
        return
    require_memory(torch.device("cpu"), 2 * _BYTES * params, name)
    if device.type != "cpu":
        require_memory(device, dtype.itemsize * params, name)
