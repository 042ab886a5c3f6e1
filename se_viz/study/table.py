"""Readings as tables and files."""

import io
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from se_viz.gates.capture import Capture
from se_viz.gates.model import Model
from se_viz.gates.weights_of import parameters_of


def table(capture: Capture, images: Sequence[str]) -> pd.DataFrame:
    """One row per image, gate and channel.

    Columns: image, gate, stage, block, channel, z, s; in execution order of the gates.

    Args:
        capture: of N images.
        images: their N names.
    """
    parts = []
    for reading in capture:
        n, c = reading.s.shape
        parts.append(
            pd.DataFrame(
                {
                    "image": np.repeat(np.asarray(images, dtype=object), c),
                    "gate": reading.gate.name,
                    "stage": np.int8(reading.gate.stage),
                    "block": np.int16(reading.gate.block),
                    "channel": np.tile(np.arange(c, dtype=np.int32), n),
                    "z": reading.z.ravel(),
                    "s": reading.s.ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def gates_table(model: Model) -> pd.DataFrame:
    """A row for each gate in execution order.

    Columns: stage, gate, C, C/r, r, squeeze, gate function, parameters (weights and biases), module, class, found by.
    """
    return pd.DataFrame(
        {
            "stage": [gate.stage for gate in model.gates],
            "gate": [gate.name for gate in model.gates],
            "C": [gate.channels for gate in model.gates],
            "C/r": [gate.bottleneck for gate in model.gates],
            "r": [gate.r for gate in model.gates],
            "squeeze": [gate.squeeze for gate in model.gates],
            "gate function": [gate.function for gate in model.gates],
            "parameters": [sum(p.numel() for p in parameters_of(model.network, gate)) for gate in model.gates],
            "module": [gate.path for gate in model.gates],
            "class": [gate.kind for gate in model.gates],
            "found by": [gate.proof for gate in model.gates],
        }
    )


def table_bytes(frame: pd.DataFrame, kind: Literal["csv", "parquet"]) -> bytes:
    """A table as the content of a file.

    In CSV a name that a spreadsheet would run as a formula (it begins with =, +, - or @) gets an apostrophe in front.
    """
    if kind == "csv":
        names = frame.select_dtypes(exclude="number").columns
        return frame.assign(**{name: frame[name].map(_harmless) for name in names}).to_csv(index=False).encode()
    return frame.to_parquet(index=False)


def _harmless(cell: object) -> object:
    dangerous = isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{cell}" if dangerous else cell


def maps_bytes(capture: Capture, gate: str, images: Sequence[str]) -> bytes:
    """U, X̃ and s of one gate as a compressed NPZ: arrays U and X of (N, C, H, W), s of (N, C), images of (N,)."""
    reading = capture[gate]
    if reading.u is None or reading.x is None:
        raise ValueError(f"The maps of {gate} were not captured: pass maps=[{gate!r}] to capture.")
    out = io.BytesIO()
    np.savez_compressed(out, U=reading.u, X=reading.x, s=reading.s, images=np.asarray(images, dtype=np.str_))
    return out.getvalue()
