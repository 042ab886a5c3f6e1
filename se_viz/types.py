"""Types of NumPy arrays for the whole package; the docstrings of functions and classes give the shapes."""

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
