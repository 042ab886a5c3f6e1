"""The channels that a gate changed, and the size of the change."""

from typing import Literal, TypeAlias

import numpy as np

from se_viz.gates.capture import GateCapture
from se_viz.types import AnyFloats, Float32s

Choice: TypeAlias = Literal["highest s", "lowest s", "largest change", "chosen"]


def change(gate_capture: GateCapture, mean: AnyFloats | None = None) -> Float32s:
    """Return how much the gate changed each channel, the root of the summed squares over its pixels (N, C).

    With the mean of s over many images it is ‖(s − mean) · U‖, what the gate does for this image alone: without it,
    ‖U − X̃‖ = ‖(s − 1) · U‖ ranks the loudest maps first.

    Args:
        gate_capture: the values of the gate, with maps.
        mean: mean of s over the images of class profiles (C,), if there are any.

    Raises:
        ValueError: the maps of the gate were not captured.
    """
    if gate_capture.u is None or gate_capture.x is None:
        raise ValueError(f"The maps of {gate_capture.gate.name} were not captured: name it in maps.")
    with np.errstate(invalid="ignore", over="ignore"):  # a channel that is not finite is sorted last
        part = gate_capture.u if mean is not None else gate_capture.u - gate_capture.x
        norm: Float32s = np.sqrt(np.square(part).sum(axis=(2, 3)))
        return norm if mean is None else norm * np.abs(gate_capture.s - mean.astype(np.float32))


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
