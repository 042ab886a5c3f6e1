"""The channels that a gate changed, and the size of the change."""

from typing import Literal, TypeAlias

import numpy as np

from se_viz.gates.capture import GateCapture
from se_viz.types import Float32s

Choice: TypeAlias = Literal["highest s", "lowest s", "largest change", "chosen"]


def change(gate_capture: GateCapture) -> Float32s:
    """Return ‖U − X̃‖ of each channel, the root of the summed squares over its pixels (N, C).

    Raises:
        ValueError: the maps of the gate were not captured.
    """
    if gate_capture.u is None or gate_capture.x is None:
        raise ValueError(f"The maps of {gate_capture.gate.name} were not captured: name it in maps.")
    with np.errstate(invalid="ignore", over="ignore"):  # a channel that is not finite is sorted last
        norm: Float32s = np.sqrt(np.square(gate_capture.u - gate_capture.x).sum(axis=(2, 3)))
    return norm


def choose_channels(
    s: Float32s, changed: Float32s, by: Choice, count: int, chosen: list[int] | None = None
) -> list[int]:
    """Choose channels of one image to look at.

    Args:
        s, changed: of one image (C,).
        by: the criterion; "chosen" takes ``chosen``.
        count: maximum number of channels.
        chosen: indices; those outside 0 … C−1 are left out.
    """
    if by == "chosen":
        return [index for index in dict.fromkeys(chosen or []) if 0 <= index < len(s)][:count]
    key = {"highest s": -s, "lowest s": s, "largest change": -changed}[by]
    return [int(index) for index in np.argsort(key, kind="stable")[:count]]
