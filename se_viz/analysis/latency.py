"""The time of a forward pass on this machine."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

import torch
from torch import nn

from se_viz.gates.eval_mode import hold_eval_mode
from se_viz.gates.trace import placement

ROUNDS = 5  # rounds in which networks take turns

Key = TypeVar("Key", bound=Hashable)


def median_latency_ms(network: nn.Module, side: int, seconds: float = 1.0) -> float:
    """Return the median time of a forward pass of one image (1, 3, side, side) in eval mode.

    Args:
        network: on any device.
        side: side of the image, in pixels.
        seconds: how long to measure.
    """
    # This import prints a warning where CUDA's compiler is installed, but no GPU.
    from torch.utils.benchmark import Timer  # noqa: PLC0415

    device, dtype = placement(network)
    images = torch.zeros((1, 3, side, side), device=device, dtype=dtype)
    with hold_eval_mode(network), torch.no_grad():
        timer = Timer(
            "network(images)", globals={"network": network, "images": images}, num_threads=torch.get_num_threads()
        )
        return float(timer.blocked_autorange(min_run_time=seconds).median) * 1e3


def latencies_ms(networks: Mapping[Key, nn.Module], side: int, seconds: float = 1.0) -> dict[Key, float]:
    """Return the time of one image in each network, in milliseconds: the fastest of five rounds in turns.

    Other load on the machine and a cold start can only add time, so that the fastest round is nearest to the time of
    the network alone.

    Args:
        networks: networks on any device, by any key.
        side: side of the image, in pixels.
        seconds: how long to measure each network, in all rounds together.
    """
    rounds = [
        [median_latency_ms(network, side, seconds / ROUNDS) for network in networks.values()] for _ in range(ROUNDS)
    ]
    return {key: min(times) for key, times in zip(networks, zip(*rounds, strict=True), strict=True)}
