"""Captures of single images put together."""

from collections.abc import Sequence

import numpy as np

from se_viz.gates.capture import Capture, Reading


def stack(captures: Sequence[Capture]) -> Capture:
    """One capture of all images, in order: z, s and logits; maps stay with the parts.

    Args:
        captures: of the same network, at least one.
    """
    first = captures[0]
    readings = {
        name: Reading(
            gate=reading.gate,
            z=np.concatenate([capture[name].z for capture in captures]),
            s=np.concatenate([capture[name].s for capture in captures]),
        )
        for name, reading in first.readings.items()
    }
    return Capture(readings, np.concatenate([capture.logits for capture in captures]))
