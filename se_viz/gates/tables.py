"""The tables that a pass has read, copied to memory as one array and divided when they are asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from se_viz.gates.errors import NotReadable
from se_viz.types import Float32s
from se_viz.weights.tensor_kinds import plain

# A gate and the kind of a value of it.
TableKey: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class TableLayout:
    """The places of tables in one array, table after table.

    Attributes:
        shapes: rows and columns of each table.
    """

    shapes: Mapping[TableKey, torch.Size]

    @cached_property
    def size(self) -> int:
        """Number of numbers in the array."""
        return sum(rows * columns for rows, columns in self.shapes.values())

    @cached_property
    def places(self) -> dict[TableKey, slice]:
        """The part of the array that each table takes."""
        sizes = [rows * columns for rows, columns in self.shapes.values()]
        return {
            key: slice(end - size, end) for key, size, end in zip(self.shapes, sizes, accumulate(sizes), strict=True)
        }


class Tables(Mapping[TableKey, Float32s]):
    """Tables of numbers (rows, columns) by gate name and kind of value, float32, as parts of one array.

    A copy of each table by itself, and a look for NaN in each, would take longer than everything else that is done with
    a small table.

    Attributes:
        layout: shapes and places of the tables.
        numbers: all numbers, table after table, row by row.
    """

    def __init__(self, layout: TableLayout, numbers: Float32s) -> None:
        self.layout = layout
        self.numbers = numbers

    @classmethod
    def of(cls, tables: Mapping[TableKey, Tensor]) -> "Tables":
        """Return the tables (rows, columns) that tensors hold."""
        shapes = {key: table.shape for key, table in tables.items()}
        one_row = all(rows == 1 for rows, _ in shapes.values())
        return cls(TableLayout(shapes), _in_one(list(tables.values()), one_row=one_row))

    def __getitem__(self, key: TableKey) -> Float32s:
        return self.numbers[self.layout.places[key]].reshape(self.layout.shapes[key])

    def __iter__(self) -> Iterator[TableKey]:
        return iter(self.layout.shapes)

    def __len__(self) -> int:
        return len(self.layout.shapes)

    def are_finite(self) -> bool:
        """Return whether all numbers are finite."""
        return bool(np.isfinite(self.numbers).all())

    def of_kind(self, what: str) -> dict[str, Float32s]:
        """Return the tables of a kind of value by gate."""
        return {name: self[name, kind] for name, kind in self.layout.shapes if kind == what}


def _in_one(tables: list[Tensor], *, one_row: bool) -> Float32s:
    """Return a copy of the numbers of all tables, moved as one tensor, because every transfer delays a GPU."""
    alike = all(type(table) is Tensor and table.dtype is torch.float32 for table in tables)
    if not alike:
        tables = [numbers(table) for table in tables]
    if tables[0].is_cpu and not alike:  # torch joins neither all number types nor all kinds of tensors
        arrays = [table.detach().float().numpy() for table in tables]
        return np.concatenate([array.ravel() for array in arrays])
    # A row needs no new shape, and that of each table takes longer than the copy of all.
    joined = torch.cat(tables, 1).view(-1) if one_row else torch.cat([table.reshape(-1) for table in tables])
    array: Float32s = joined.numpy() if joined.is_cpu else joined.float().cpu().numpy()
    return array


def numbers(value: Tensor) -> Tensor:
    """Return a value of a gate as a tensor of no subclass.

    Raises:
        NotReadable: the network computes with a wrapper that does not give its numbers.
    """
    table = plain(value)
    if table is None:
        name = type(value).__name__
        raise NotReadable(
            f"This network computes its gates with tensors of the class {name}, whose numbers cannot be read: give "
            f"{name} a method full_tensor() that returns them in a plain tensor, or convert the weights to plain "
            "tensors before."
        )
    return table
