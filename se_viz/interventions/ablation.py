"""Results of an ablation: the effect of each edit on the answers over a dataset, stored as JSON."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from se_viz.disk.atomic import write_bytes
from se_viz.interventions.ablation_effects import AblationRow, AsItIs
from se_viz.interventions.ablation_tables import classes_table, edits_table
from se_viz.interventions.planned_edits import Scope, edits_sha256
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesError, ProfilesMismatch
from se_viz.profiles.metadata import DatasetInfo, GateEntry, LabelSource, ModelInfo, RunSettings
from se_viz.types import Bools, Floats
from se_viz.weights.head import Head

FILE = "ablation.json"
VERSION = 1


class AblationRefused(ProfilesError):
    """A file that contains no ablation, or one that this version cannot read."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """Edits of s over a dataset.

    Attributes:
        model, gates: the network and its gates, in execution order.
        source: the dataset.
        labels: "given", or "predictions": an answer is right if it is the network's own without edits.
        head: the meaning of the outputs.
        classes, counts: names of the K classes, and the number of counted images of each.
        refused: the reason for each image that was left out, by its name.
        run: number of images in a batch, among which s is shuffled, and in a shard.
        as_it_is: the answers without edits.
        rows: the effects of the edits: of each gate, then of each stage, then of all gates.
        notes: sentences on how labels were matched to outputs, and on edits that could not be made.
        version: version of the file format.
    """

    model: ModelInfo
    gates: tuple[GateEntry, ...]
    source: DatasetInfo
    labels: LabelSource
    head: Head
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    refused: Mapping[str, str]
    run: RunSettings
    as_it_is: AsItIs
    rows: tuple[AblationRow, ...]
    notes: tuple[str, ...] = ()
    version: int = VERSION
    format: Literal["se-viz-ablation"] = field(default="se-viz-ablation", kw_only=True)

    @property
    def images(self) -> int:
        """Number of counted images."""
        return sum(self.counts)

    def __getitem__(self, name: str) -> AblationRow:
        """The row of an edit, for instance ``ablation["SE_5_2 := 1"]``."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"There is no edit {name!r}: choose one of {', '.join(row.name for row in self.rows)}.")

    def by(self, scope: Scope) -> tuple[AblationRow, ...]:
        """Return the rows about single gates, stages, all gates, or other edits."""
        return tuple(row for row in self.rows if row.scope == scope)

    def row_of(self, weights: Mapping[str, Floats]) -> AblationRow | None:
        """Return the row of the edit that sets exactly these gates to exactly these weights (C,), if there is one."""
        in_order = {gate.name: weights[gate.name] for gate in self.gates if gate.name in weights}
        sha256 = edits_sha256(in_order)
        return next((row for row in self.rows if row.sha256 == sha256 and len(in_order) == len(weights)), None)

    def right(self, name: str | None = None) -> Bools:
        """Return which images are right (N,) with an edit, or without one, in the dataset's order without refused ones.

        Raises:
            KeyError: there is no such edit.
        """
        bits = (self.as_it_is if name is None else self[name]).right
        unpacked = np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8), count=self.images)
        return unpacked.astype(bool)

    def check(self, model: Model) -> None:
        """Make sure that the ablation is of this network.

        Raises:
            ProfilesMismatch: its weights or its preprocessing differ.
        """
        if what := self.model.difference(model):
            raise ProfilesMismatch(
                f"This ablation is of {self.model.name}, not of the {model.name} that is loaded ({what} differ): make "
                "one of it with `se-viz ablate`."
            )

    def table(self) -> pd.DataFrame:
        """Return a row for the unedited network, then one for each edit: shares, logits and nats, with intervals."""
        return edits_table(self.as_it_is, self.rows)

    def table_by_class(self) -> pd.DataFrame:
        """Return a row for each edit and class: images, those that are right before and after, change of the logit."""
        return classes_table(self.rows, self.classes, self.counts, self.as_it_is.correct)

    def write(self, path: str | Path) -> None:
        """Write as JSON, at once or not at all.

        Raises:
            WriteFailed: the system refused it; the sentence says why.
        """
        write_bytes(Path(path), self.content())

    def content(self) -> bytes:
        """Return the JSON that ``write`` writes; the same ablation gives the same bytes."""
        return JSON.dump_json(self, indent=1) + b"\n"


JSON = TypeAdapter(Ablation)
