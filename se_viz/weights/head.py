"""What the K outputs of a network mean, and what follows: probabilities, names, the group of an image."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from se_viz.weights.errors import WeightsRefused
from se_viz.weights.output_shape import columns, describe_output, parts_with_table

HeadKind: TypeAlias = Literal["classes", "binary", "labels", "number", "features"]
Floats: TypeAlias = npt.NDArray[np.float64]

KINDS: tuple[HeadKind, ...] = get_args(HeadKind)
NO_LABEL = "no label"
_HOW_TO_SAY = 'head="binary" (--head binary, or Head in the sidebar of the page)'


class HeadMismatch(WeightsRefused):
    """The head, or the names of the outputs, do not fit what the network returns; the message says what to do."""


class NoPredictions(ValueError):
    """A network's outputs predict nothing; the message says why."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the outputs of a network mean.

    Attributes:
        kind: "classes": an image is of one of K ≥ 2 classes, softmax over the outputs gives their probabilities;
            "binary": one output, the logit of yes, σ of it is the probability; "labels": K labels, each of which holds
            or not, σ of each output; "number": K numbers, taken as they are; "features": nothing is predicted.
        threshold: probability from which on a "binary" head says yes and one of "labels" holds, above 0, below 1.
    """

    kind: HeadKind
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"head must be one of {', '.join(KINDS)}, not {self.kind!r}.")
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold is a probability above 0 and below 1, not {self.threshold}.")

    @classmethod
    def of(cls, head: "Head | HeadKind | None") -> "Head | None":
        """Return a head that is given by its kind; None, where nobody has said, stays None."""
        return head if head is None or isinstance(head, Head) else cls(head)

    def probabilities(self, logits: npt.NDArray[np.floating]) -> Floats:
        """Return probabilities 0–1 of outputs (N, K): (N, 2) of no and yes for "binary", else (N, K).

        Of an image for which they cannot be told, as an output is NaN or infinite, all are NaN.

        Raises:
            TypeError: the head has none.
        """
        wide = logits.astype(np.float64)
        if self.kind == "classes":
            told = np.isfinite(wide.max(axis=1, keepdims=True))
            return np.where(told, softmax(np.where(told, wide, 0), axis=1), np.nan)
        if self.kind == "binary":
            return np.concatenate([expit(-wide), expit(wide)], axis=1)
        if self.kind == "labels":
            return np.where(np.isnan(wide).any(axis=1, keepdims=True), np.nan, expit(wide))
        raise TypeError(f"A head of {self.kind} gives no probabilities.")

    def groups(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the groups that ``group`` numbers, from the names of ``fit``."""
        return (*names, NO_LABEL) if self.kind == "labels" else tuple(names)

    def group(self, logits: npt.NDArray[np.floating]) -> list[int | None]:
        """Return the group of each image of outputs (N, K): what the network says it is.

        Of "classes" the most probable; of "binary" 1 from the threshold on, else 0; of "labels" the most probable, and
        K, for no label, where that one does not reach the threshold. None where outputs are NaN or infinite.
        """
        found: list[int | None] = []
        for row in self.probabilities(logits):
            if np.isnan(row).any():
                found.append(None)
            elif self.kind == "binary":
                found.append(int(row[1] >= self.threshold))
            else:
                best = int(row.argmax())
                found.append(len(row) if self.kind == "labels" and row[best] < self.threshold else best)
        return found


@dataclass(frozen=True, slots=True)
class Fitted:
    """A head that fits a network's outputs.

    Attributes:
        head: what the outputs mean.
        names: of the outputs, K; two, no and yes, for "binary".
        assumed: whether nobody said so.
    """

    head: Head
    names: tuple[str, ...] = field(default=())
    assumed: bool = False


def fit(head: Head | None, outputs: int, names: Sequence[str] = ()) -> Fitted:
    """Return the head of a network with K ``outputs``, assumed where it is None, and the names of what it gives.

    Assumed are classes for two outputs and more. One output is no distribution over classes: it is taken as the number
    it is until somebody says what it means.

    Args:
        head: as it was said, or None.
        outputs: K.
        names: as they were given: K; one, of yes, or two, of no and yes, for "binary"; or none.

    Raises:
        HeadMismatch: the head is for another number of outputs, or there are not as many names as it takes.
    """
    known = head or Head("classes" if outputs > 1 else "number")
    if known.kind == "classes" and outputs < 2:
        raise HeadMismatch(
            f"A head of classes needs two outputs or more, and this network has {outputs}. If it is the logit of yes, "
            f"say {_HOW_TO_SAY}; if it is a number, number in its place."
        )
    if known.kind == "binary" and outputs != 1:
        raise HeadMismatch(
            f"A binary head has one output, and this network has {outputs}: say classes (softmax over all of them) or "
            "labels (each holds or not)."
        )
    called, takes = _names(known.kind, outputs)
    if known.kind == "binary" and len(names) == 1:
        called = (f"not {names[0]}", names[0])
    elif names and len(names) != len(called) and known.kind != "features":
        hint = f" If the one output is the logit of yes, say {_HOW_TO_SAY}." if head is None and outputs == 1 else ""
        raise HeadMismatch(f"There are {len(names):,} names of {takes}.{hint}")
    elif names:
        called = tuple(names)
    return Fitted(known, called, assumed=head is None)


def fit_output(head: Head | None, output: object, images: int, names: Sequence[str], called: str) -> Fitted:
    """Return ``fit`` for what a network that is ``called`` so returned for N ``images``.

    Raises:
        HeadMismatch: as ``fit``, and where a head was said and the output is no table (N, K).
        NoPredictions: the head is "features", or none was said and the output is no table.
    """
    outputs = columns(output, images)
    if head is not None and head.kind == "features":
        raise NoPredictions(f"What {called} returns is taken as features, so there are no predictions.")
    if outputs:
        return fit(head, outputs, names)
    returned = f"{called} returns {describe_output(output, images)}"
    if head is not None:
        raise HeadMismatch(
            f"A head of {head.kind} needs a table of outputs (N, K), and {returned}: leave the head out, or say "
            "features."
        )
    parts = parts_with_table(output, images)
    hint = f" Wrapped so that it returns {' or '.join(parts[:3])} alone, it has some." if parts else ""
    raise NoPredictions(f"{returned}: no single table of logits, so there are no predictions.{hint}")


def expected_outputs(head: Head | None, names: int) -> int:
    """Return how many outputs that many names are for."""
    return 1 if head and head.kind == "binary" else names


def _names(kind: HeadKind, outputs: int) -> tuple[tuple[str, ...], str]:
    """Names for outputs that have none, and what is said where there are too many or too few."""
    logits = f"{outputs:,} {'logit' if outputs == 1 else 'logits'}"
    if kind == "binary":
        return ("negative", "positive"), "classes; a binary head takes two (of no and of yes) or one (of yes)"
    if kind == "number":
        numbered = tuple(f"output {index}" for index in range(outputs)) if outputs > 1 else ("output",)
        return numbered, f"outputs and {outputs:,} {'number' if outputs == 1 else 'numbers'}"
    if kind == "labels":
        return tuple(f"label {index}" for index in range(outputs)), f"labels and {logits}"
    return tuple(f"class {index}" for index in range(outputs)), f"classes and {logits}"
