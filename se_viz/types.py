"""Types that the rooms share, most of them of NumPy arrays; the docstrings of functions and classes give the shapes."""

from collections.abc import Callable
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
UInt32s: TypeAlias = npt.NDArray[np.uint32]
UInt64s: TypeAlias = npt.NDArray[np.uint64]
Positions: TypeAlias = npt.NDArray[np.intp]
"""Positions along an axis of another array."""

ShouldCancel: TypeAlias = Callable[[], bool]
"""Is called again and again by work that takes long; the work ends when it returns True."""
