"""Memory into which passes of one size copy the values that they read, laid out as one array.

For one image, and a network that takes some milliseconds, new tensors for z and s of every gate, the checks of their
shapes and the joining of all of them take longer than reading them. A pass finds such memory if a pass of as many
images was read before.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeGuard

import torch
from torch import Tensor

from se_viz.gates.gate import Gate
from se_viz.gates.tables import TableKey, TableLayout, Tables

# The output of the network, if it is a table, has a separate place.
OUTPUT: TableKey = ("", "output")

# Numbers of images for which memory is kept: a pass over a dataset has batches of two sizes.
_SIZES = 4


class ValuePlaces:
    """Memory for the values that one pass reads.

    Attributes:
        by_key: the part of the memory for each value but the output, in the shape in which the pass reads the value.
    """

    def __init__(self, layout: TableLayout, values: Mapping[TableKey, Tensor]) -> None:
        """Make memory for float32 values of one device like these."""
        self._layout = layout
        self._numbers = values[OUTPUT].new_empty(layout.size)
        views = {key: self._numbers[layout.places[key]].view(value.shape) for key, value in values.items()}
        self._output = views.pop(OUTPUT)
        self.by_key = views

    def tables(self, kept: Mapping[TableKey, Tensor], output: object) -> Tables | None:
        """Return a copy of the values of a pass; None if the pass has kept other tensors or has no such output."""
        if not (fits(output, self._output) and all(kept.get(key) is place for key, place in self.by_key.items())):
            return None
        self._output.copy_(output)
        numbers = self._numbers
        return Tables(self._layout, numbers.numpy().copy() if numbers.is_cpu else numbers.cpu().numpy())


class ValuePlacesPool:
    """The free memory of an instrument by number of images; any number of threads take and give back."""

    def __init__(self, gates: tuple[Gate, ...]) -> None:
        self._usable = all(map(_is_read_once, gates))
        self._free: OrderedDict[int, list[ValuePlaces]] = OrderedDict()

    def take(self, images: int) -> ValuePlaces | None:
        """Return memory for a pass of as many images; None if there is no free one."""
        try:
            return self._free[images].pop()
        except (KeyError, IndexError):
            return None

    def give(self, images: int, places: ValuePlaces) -> None:
        """Keep memory for another pass of as many images."""
        self._free.setdefault(images, []).append(places)
        if len(self._free) > _SIZES:
            self._free.popitem(last=False)

    def give_like(self, images: int, tables: Tables, kept: Mapping[TableKey, Tensor], output: object) -> None:
        """Make and keep memory for passes like one that has kept these values, if all of them can have a place."""
        if not self._usable or OUTPUT not in tables or not isinstance(output, Tensor):
            return
        values = {key: output if key == OUTPUT else kept[key] for key in tables}
        alike = all(
            type(value) is Tensor
            and value.dtype is torch.float32
            and value.device == output.device
            and value.numel() == tables[key].size
            for key, value in values.items()
        )
        if alike:
            self.give(images, ValuePlaces(tables.layout, values))


def fits(value: object, place: Tensor) -> TypeGuard[Tensor]:
    """Return whether a value can be copied to a place as it is."""
    return (
        type(value) is Tensor
        and value.shape == place.shape
        and value.dtype is place.dtype
        and value.device == place.device
        # Otherwise the copy would make the place part of a graph of gradients.
        and not value.requires_grad
    )


def _is_read_once(gate: Gate) -> bool:
    """Return whether z and s of a gate are the whole input or output of modules that run for this gate alone."""
    taps = (gate.z_tap, gate.s_tap) if gate.has_z else (gate.s_tap,)
    return gate.product is None and not gate.scoped and all(tap is not None and not tap.padded for tap in taps)
