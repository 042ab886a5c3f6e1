"""Nested maps, such as images of several sizes in one tensor, and products of them by one factor per channel.

These products are not read, as nested tensors have no single height and width, but a message names them.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from se_viz.gates.channel_products import is_scaled


class NestedMaps:
    """The nested maps of a pass, filled with zeros to equal lengths."""

    def __init__(self) -> None:
        self._seen: list[Tensor] = []

    def holds_product(self, tensors: Iterable[object]) -> bool:
        """Return whether a nested tensor equals an earlier one times a factor per channel; record all of them."""
        found = False
        for tensor in tensors:
            maps = _padded(tensor)
            if maps is None or any(torch.equal(maps, seen) for seen in self._seen):
                continue
            found |= any(
                is_scaled(maps, seen) or is_scaled(maps.movedim(-1, 1), seen.movedim(-1, 1)) for seen in self._seen
            )
            self._seen.append(maps)
        return found


def _padded(tensor: object) -> Tensor | None:
    """Return a nested tensor as (N, …), with zeros where its parts are shorter; None for other tensors."""
    if not isinstance(tensor, Tensor) or not tensor.is_nested or not tensor.is_floating_point():
        return None
    try:
        maps = torch.nested.to_padded_tensor(tensor.detach(), 0.0)
    except (RuntimeError, ValueError, NotImplementedError):
        return None  # parts that are nested themselves, or have no common number of axes
    return maps if type(maps) is Tensor and not maps.is_meta else None
