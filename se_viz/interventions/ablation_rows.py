"""Rows of an ablation, added up from its shards; only one shard at a time is in memory."""

import base64
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from se_viz.demo.evaluate import accuracy
from se_viz.demo.paired_comparison import accuracy_change, mcnemar, mean_change
from se_viz.demo.right_answers import packed
from se_viz.interventions.ablation_effects import AblationRow, AsItIs, ClassEffect
from se_viz.interventions.ablation_shards import Shard
from se_viz.interventions.answers import FIELDS, Targets
from se_viz.interventions.planned_edits import EditInfo
from se_viz.types import Counts, Floats


class AblationSums:
    """Counts and sums of E edits over K classes; row 0 is the network as it is.

    Args:
        edits: the number of edits, E.
        targets: the outputs that belong to the classes.
        images: the number of images in the dataset, with those that cannot be read.
    """

    def __init__(self, edits: Sequence[EditInfo], targets: Targets, images: int) -> None:
        rows, kinds = 1 + len(edits), len(targets.classes)
        self._edits = edits
        self._outputs = np.array(targets.outputs, np.int64)
        self.counts: Counts = np.zeros(kinds, np.int64)
        self._correct, self._lost, self._gained = (np.zeros((rows, kinds), np.int64) for _ in range(3))
        self._answers_changed = np.zeros(rows, np.int64)
        # Images whose outputs are finite, and Σ of the change of the target's logit, by class.
        self._finite = np.zeros((rows, kinds), np.int64)
        self._logits = np.zeros((rows, kinds))
        # Of each field Σ, and Σ and Σ² of its change.
        self._sums = {field: np.zeros((rows, 3)) for field in FIELDS}
        # A bit for each image of the dataset: whether it was counted, and in which rows it is right.
        self._counted = np.zeros((images + 7) // 8, np.uint8)
        self._right = np.zeros((rows, (images + 7) // 8), np.uint8)

    def add(self, shard: Shard, places: Counts) -> None:
        """Add a shard.

        Args:
            shard: a shard that has not been added.
            places: position in the dataset of each image of the pass (N,).
        """
        tensors = shard.tensors
        where = places[tensors["index"][:,]]
        targets = tensors["target"][:,]
        kinds = len(self.counts)
        self.counts += np.bincount(targets, minlength=kinds)
        byte, bit = where >> 3, (128 >> (where & 7)).astype(np.uint8)
        np.bitwise_or.at(self._counted, byte, bit)
        before: dict[str, Floats] = {}
        for row in range(len(self._right)):
            answer = tensors["answer"][row, :]
            values = {field: tensors[field][row, :].astype(np.float64) for field in FIELDS}
            finite = np.isfinite(values["logit"])
            right = finite & (answer == self._outputs[targets])
            if row == 0:
                before, said, known = values, answer, right
            self._correct[row] += np.bincount(targets[right], minlength=kinds)
            self._lost[row] += np.bincount(targets[known & ~right], minlength=kinds)
            self._gained[row] += np.bincount(targets[right & ~known], minlength=kinds)
            self._answers_changed[row] += int((answer != said).sum())
            self._finite[row] += np.bincount(targets[finite], minlength=kinds)
            moved = values["logit"][finite] - before["logit"][finite]
            self._logits[row] += np.bincount(targets[finite], weights=moved, minlength=kinds)
            for field, sums in self._sums.items():
                change = values[field][finite] - before[field][finite]
                sums[row] += (values[field][finite].sum(), change.sum(), np.square(change).sum())
            np.bitwise_or.at(self._right[row], byte[right], bit[right])

    def as_it_is(self) -> AsItIs:
        """Return the answers of the network without edits."""
        images = int(self.counts.sum())
        means = {field: float(f"{sums[0, 0] / images:.6g}") for field, sums in self._sums.items()}
        correct = self._correct[0]
        return AsItIs(
            accuracy=accuracy(int(correct.sum()), images),
            correct=tuple(correct.tolist()),
            right=self._bits(0),
            **means,
        )

    def rows(self) -> tuple[AblationRow, ...]:
        """Return the effects of the edits."""
        return tuple(self._row(info, row) for row, info in enumerate(self._edits, start=1))

    def _row(self, info: EditInfo, row: int) -> AblationRow:
        images, finite = int(self.counts.sum()), int(self._finite[row].sum())
        correct, lost, gained = (int(counts[row].sum()) for counts in (self._correct, self._lost, self._gained))
        changes = {field: mean_change(sums[row, 1], sums[row, 2], finite) for field, sums in self._sums.items()}
        return AblationRow(
            **{part.name: getattr(info, part.name) for part in fields(info)},
            accuracy=accuracy(correct, images),
            change=accuracy_change(int(self._correct[0].sum()), lost, gained, images),
            lost=lost,
            gained=gained,
            p=mcnemar(lost, gained),
            answers_changed=int(self._answers_changed[row]),
            logit=changes["logit"],
            log_likelihood=changes["log_likelihood"],
            entropy=float(f"{self._sums['entropy'][row, 0] / finite:.6g}") if finite else None,
            entropy_change=changes["entropy"],
            not_finite=images - finite,
            by_class=tuple(self._class(row, kind) for kind in range(len(self.counts))),
            right=self._bits(row),
        )

    def _class(self, row: int, kind: int) -> ClassEffect:
        finite = int(self._finite[row, kind])
        return ClassEffect(
            correct=int(self._correct[row, kind]),
            lost=int(self._lost[row, kind]),
            gained=int(self._gained[row, kind]),
            logit=float(f"{self._logits[row, kind] / finite:.6g}") if finite else None,
        )

    def _bits(self, row: int) -> str:
        """Return a bit for each counted image, in the order of the dataset, as base64."""
        counted = np.unpackbits(self._counted).astype(bool)
        return base64.b64encode(packed(np.unpackbits(self._right[row])[counted].astype(bool))).decode()
