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

Function: TypeAlias = Callable[..., Any]
Classes: TypeAlias = Collection[type]
Args: TypeAlias = tuple[Any, ...]
Kwargs: TypeAlias = dict[str, Any] | None
