"""The weights of photographs, computed in this process, and those in a download of the page."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import timm
import torch
from safetensors.torch import save

import se_viz
from se_viz.data.image_files import read

Array = npt.NDArray[np.float32]

ARCHITECTURE = "mobilenetv3_small_050"  # one of timm's smallest
CHECKPOINT = "good.safetensors"
TOLERANCE = 1e-5  # of z and s, relative where they are above 1


@dataclass(frozen=True)
class Expected:
    """z and s of all gates in one row, for each photograph: of the demo model, and of a checkpoint."""

    demo: list[Array]
    own: list[Array]
    checkpoint: bytes


def expected(photographs: Sequence[bytes]) -> Expected:
    """Read the photographs in this process."""
    torch.manual_seed(0)
    checkpoint = save(timm.create_model(ARCHITECTURE).state_dict())
    demo = se_viz.load("demo/r16", "cpu")
    own = se_viz.load_checkpoint(checkpoint, f"timm/{ARCHITECTURE}", device="cpu", name=CHECKPOINT)
    images = [read([("one", one)]).images[0] for one in photographs]
    return Expected(_read(demo, images), _read(own, images), checkpoint)


def _read(model: se_viz.Model, images: Sequence[object]) -> list[Array]:
    rows = [_row(se_viz.capture(model, [one])) for one in images]
    nearest = min(off(one, other) for place, one in enumerate(rows) for other in rows[:place])
    if nearest < 100 * TOLERANCE:
        raise RuntimeError(f"Two photographs have captures as near as {nearest:.1e}: no mistake would be seen.")
    return rows


def _row(capture: se_viz.Capture) -> Array:
    return np.concatenate([np.concatenate([one.z.ravel(), one.s.ravel()]) for one in capture])


def off(one: Array, other: Array) -> float:
    """The largest difference between two rows; infinite if they are not of the same gates, or one is not finite."""
    if one.shape != other.shape:
        return np.inf
    worst = np.max(np.abs(one - other) / np.maximum(1, np.abs(other)))
    return float(worst) if np.isfinite(worst) else np.inf


def downloaded(csv: bytes) -> dict[str, Array]:
    """The row of each image in a table that was downloaded, by its name."""
    frame = pd.read_csv(io.BytesIO(csv), dtype={"z": np.float32, "s": np.float32})
    rows = {}
    for name, image in frame.groupby("image", sort=False):
        gates = [gate for _, gate in image.groupby("gate", sort=False)]
        rows[str(name)] = np.concatenate([gate[column].to_numpy() for gate in gates for column in ("z", "s")])
    return rows
