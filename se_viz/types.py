"""Types for the whole package: NumPy arrays, whose shapes the docstrings of functions and classes give, and calls.

``Function``, ``Classes``, ``Args`` and ``Kwargs`` are what torch passes to a mode for each call that it sees.
"""

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Float32s: TypeAlias = npt.NDArray[np.float32]
AnyFloats: TypeAlias = npt.NDArray[np.floating]
"""Floating-point numbers of any precision."""
Counts: TypeAlias = npt.NDArray[np.int64]
"""Numbers of images."""
Bools: TypeAlias = npt.NDArray[np.bool_]
Int8s: TypeAlias = npt.NDArray[np.int8]
Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
UInt8s: TypeAlias = npt.NDArray[np.uint8]
UInt32s: TypeAlias = npt.NDArray[np.uint32]
UInt64s: TypeAlias = npt.NDArray[np.uint64]
AnyInts: TypeAlias = npt.NDArray[np.integer]
"""Integers of any size."""
Positions: TypeAlias = npt.NDArray[np.intp]
"""Positions along an axis of another array."""

ShouldCancel: TypeAlias = Callable[[], bool]
"""Is called again and again by work that takes long; the work ends when it returns True."""

Function: TypeAlias = Callable[..., Any]
Classes: TypeAlias = Collection[type]
Args: TypeAlias = tuple[Any, ...]
Kwargs: TypeAlias = dict[str, Any] | None
