"""Weights that are finite but make a network return NaN or infinity."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from se_viz.weights.errors import WeightsRefused
from se_viz.weights.matching import some
from se_viz.weights.tensor_kinds import numbers_of

# Larger numbers are rare in trained networks, and products of a few of them overflow.
_LARGE = 1e4


def check_sound(network: nn.Module, size: tuple[int, int], label: str) -> None:
    """Raise WeightsRefused if a network with suspicious weights returns NaN or infinity for noise.

    The network is run only if some weights are suspicious: negative variances, variances that are all 0, or numbers
    beyond 10⁴.

    Args:
        network: the network with its weights, on the CPU and in eval mode.
        size: height and width of its images, pixels.
        label: name of the file, for messages.
    """
    doubtful = list(suspicious(network))
    if not doubtful:
        return
    noise = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            output = network(noise)
    except Exception:  # noqa: BLE001 - an error of the network itself is reported when its gates are searched
        return
    tables = [table for table in numbers_of([output]) if table.is_floating_point()]
    if not all(bool(table.isfinite().all()) for table in tables):
        raise WeightsRefused(
            f"With the weights of {label} the network returns NaN or infinity for an image of noise. "
            f"Suspicious: {some(doubtful)}. The file is damaged, or its weights are those of another network."
        )


def suspicious(network: nn.Module) -> Iterator[str]:
    """Yield the names of weights that may cause overflow or NaN, with the reason; the most certain come first."""
    plain = {name: tensor for name, tensor in network.state_dict().items() if _comparable(tensor)}
    variances = {name: tensor for name, tensor in plain.items() if name.endswith("running_var")}
    for name, tensor in variances.items():
        if bool((tensor < 0).any()):
            yield f"{name} (variances below 0)"
    for name, tensor in variances.items():
        if not bool(tensor.any()):
            yield f"{name} (variances of 0)"
    for name, tensor in plain.items():
        ends = tensor.aminmax()
        largest = max(-float(ends.min), float(ends.max))
        if largest > _LARGE:
            yield f"{name} (numbers up to {largest:.2g})"


def _comparable(tensor: object) -> bool:
    """Return whether an entry of a state dict is a tensor whose numbers can be compared; those of 8 bits cannot."""
    return (
        isinstance(tensor, Tensor)
        and tensor.is_floating_point()
        and tensor.layout == torch.strided
        and tensor.itemsize > 1
        and tensor.numel() > 0
        and not tensor.is_meta
    )
