"""Several captures joined into one."""

from collections.abc import Sequence

import numpy as np

from se_viz.gates.capture import Capture, GateCapture
from se_viz.gates.output import joined
from se_viz.types import Float32s


def stack(captures: Sequence[Capture]) -> Capture:
    """Return one capture of all images in order, with z, s and outputs but without maps.

    Args:
        captures: one or more captures of the same network.
    """
    first = captures[0]
    gates = {
        name: GateCapture(
            gate=gate_capture.gate,
            z=_joined([capture[name].z for capture in captures]),
            s=np.concatenate([capture[name].s for capture in captures]),
        )
        for name, gate_capture in first.gates.items()
    }
    sizes = [capture.images for capture in captures]
    return Capture(gates, sum(sizes), joined([capture.output for capture in captures], sizes))


def _joined(tables: Sequence[Float32s | None]) -> Float32s | None:
    """Return the tables of all images as one; None if any of them is missing."""
    known = [table for table in tables if table is not None]
    return np.concatenate(known) if len(known) == len(tables) else None
