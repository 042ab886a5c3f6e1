"""Tables and files of captures, predictions and gates."""

import io
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from se_viz.analysis.cost import Cost
from se_viz.analysis.predictions import Predictions
from se_viz.figures.provenance import Provenance
from se_viz.gates.capture import Capture
from se_viz.gates.gate_parameters import parameters_of
from se_viz.model.model import Model
from se_viz.wording import counted

_LISTED = 5  # maximum number of names in a sentence


def capture_table(capture: Capture, images: Sequence[str]) -> pd.DataFrame:
    """Return a row for each image, gate and channel.

    Columns: image, gate, stage, block, channel, z, s; in execution order of the gates. z is empty for gates without z,
    see ``without_z``.

    Args:
        capture: a capture of N images.
        images: names of the N images.
    """
    parts = []
    for gate_capture in capture:
        n, c = gate_capture.s.shape
        parts.append(
            pd.DataFrame(
                {
                    "image": np.repeat(np.asarray(images, dtype=object), c),
                    "gate": gate_capture.gate.name,
                    "stage": np.int8(gate_capture.gate.stage),
                    "block": np.int16(gate_capture.gate.block),
                    "channel": np.tile(np.arange(c, dtype=np.int32), n),
                    "z": np.float32("nan") if gate_capture.z is None else gate_capture.z.ravel(),
                    "s": gate_capture.s.ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def without_z(capture: Capture) -> str:
    """Return a sentence that names the gates without z, or "" if all gates have z."""
    names = [gate_capture.gate.name for gate_capture in capture if gate_capture.z is None]
    if not names:
        return ""
    listed = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    return f"There is no z for {listed}: s was not seen to come from one squeeze of U alone there."


def predictions_table(predictions: Predictions, images: Sequence[str]) -> pd.DataFrame:
    """Return a row for each image and output; no rows if nothing is predicted.

    Columns: image, output (its name), logit (or number), probability (empty for numbers), says (whether the network
    predicts it; empty for numbers, and if outputs are NaN or infinite).
    """
    fitted, outputs = predictions.fitted, predictions.outputs
    n, k = outputs.shape
    probability, says = np.full((n, k), np.nan), np.full((n, k), None, dtype=object)
    if fitted is not None and fitted.head.kind != "number":
        probability = fitted.head.probabilities(outputs)[:, -k:]  # for a binary head, the probability of yes
        for index, group in enumerate(fitted.head.group(outputs)):
            if group is not None:
                predicted = np.arange(k) == group
                says[index] = (
                    predicted if fitted.head.kind == "classes" else probability[index] >= fitted.head.threshold
                )
    names = fitted.names[-k:] if fitted is not None else ()
    return pd.DataFrame(
        {
            "image": np.repeat(np.asarray(images, dtype=object), k),
            "output": np.tile(np.asarray(names, dtype=object), n),
            "logit": outputs.ravel(),
            "probability": probability.ravel(),
            "says": pd.array(says.ravel().tolist(), dtype="boolean"),
        }
    )


def gates_table(model: Model) -> pd.DataFrame:
    """Return a row for each gate, in execution order.

    Columns: stage, gate, C, C/r, r, squeeze, gate function, parameters (weights and biases), module, class, found
    by.
    """
    return pd.DataFrame(
        {
            "stage": [gate.stage for gate in model.gates],
            "gate": [gate.name for gate in model.gates],
            "C": [gate.channels for gate in model.gates],
            "C/r": [gate.bottleneck for gate in model.gates],
            "r": [gate.r for gate in model.gates],
            "squeeze": [gate.squeeze for gate in model.gates],
            "gate function": [gate.gate_function for gate in model.gates],
            "parameters": [sum(p.numel() for p in parameters_of(model.network, gate)) for gate in model.gates],
            "module": [gate.path for gate in model.gates],
            "class": [gate.kind for gate in model.gates],
            "found by": [gate.found_by for gate in model.gates],
        }
    )


def cost_table(cost: Cost) -> pd.DataFrame:
    """Return a row for the network without its gates, for the gates of each stage, and for the network with them.

    Columns: part, gates, channels (the numbers of channels C of these gates), parameters, share (what is added to the
    parameters without SE; 0 in the first row), MACs (of one image).
    """
    params, macs = cost.totals()
    rows = [("without SE", 0, "", params, 0.0, macs)]
    for stage in cost.stages:
        name = f"stage {stage.stage}, {counted(stage.gates, 'gate')}"
        channels = ", ".join(map(str, stage.channels))
        rows.append((name, stage.gates, channels, stage.params, stage.params / params, stage.macs))
    gates = sum(stage.gates for stage in cost.stages)
    rows.append(("with SE", gates, "", cost.params, cost.params / params - 1, cost.macs))
    return pd.DataFrame(rows, columns=["part", "gates", "channels", "parameters", "share", "MACs"])


def with_source(frame: pd.DataFrame, source: Provenance) -> pd.DataFrame:
    """Return a table with the columns ``model`` and ``data`` at its end, so that a file of it says what it is of.

    They are columns, not a comment, because every program that reads CSV reads them. A column that exists already
    is not added; a table of single images names them in its column ``image``.
    """
    columns = {}
    if source.model and "model" not in frame:
        columns["model"] = source.model
    if source.images and not {"image", "data"} & set(frame):
        columns["data"] = source.images
    return frame.assign(**columns)


def table_bytes(frame: pd.DataFrame, kind: Literal["csv", "parquet"]) -> bytes:
    """Return a table as the content of a file.

    In CSV, text that a spreadsheet would run as a formula (it begins with =, +, -, @, a tab or a carriage return) gets
    an apostrophe in front.
    """
    if kind == "csv":
        names = frame.select_dtypes(exclude="number").columns
        return frame.assign(**{name: frame[name].map(_harmless) for name in names}).to_csv(index=False).encode()
    return frame.to_parquet(index=False)


def _harmless(cell: object) -> object:
    dangerous = isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{cell}" if dangerous else cell


def maps_bytes(capture: Capture, gate: str, images: Sequence[str]) -> bytes:
    """Return U, X̃ and s of one gate as a compressed NPZ: U and X (N, C, H, W), s (N, C), images (N,)."""
    gate_capture = capture[gate]
    if gate_capture.u is None or gate_capture.x is None:
        raise ValueError(f"The maps of {gate} were not captured: pass maps=[{gate!r}] to capture.")
    out = io.BytesIO()
    np.savez_compressed(
        out, U=gate_capture.u, X=gate_capture.x, s=gate_capture.s, images=np.asarray(images, dtype=np.str_)
    )
    return out.getvalue()
