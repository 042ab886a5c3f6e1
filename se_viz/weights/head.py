"""The meaning of the K outputs of a network: probabilities, names, and the group of an image."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy.special import expit, softmax

from se_viz.types import AnyFloats, Floats
from se_viz.weights.errors import WeightsRefused
from se_viz.weights.output_shape import columns, describe_output, not_fractions, parts_with_table, table
from se_viz.wording import counted

HeadKind: TypeAlias = Literal["classes", "binary", "labels", "number", "features"]

KINDS: tuple[HeadKind, ...] = get_args(HeadKind)
NO_LABEL = "no label"
_ROUNDING = 5e-4  # of a sum of probabilities in fp16
_ENOUGH = 8  # fewer logits may all be between 0 and 1 by chance
_HOW_TO_SAY = 'head="binary" (--head binary, or Head in the sidebar of the page)'


class HeadMismatch(WeightsRefused):
    """A head, or names of outputs, that do not fit what the network returns; the message says what to do."""


class NoPredictions(ValueError):
    """Outputs that are not predictions; the message says why."""


@dataclass(frozen=True, slots=True)
class Head:
    """The meaning of the outputs of a network.

    Attributes:
        kind: "classes": an image belongs to one of K ≥ 2 classes, whose probabilities are the softmax of the outputs
            (or the outputs themselves, see ``as_logits``); "binary": one output, the logit of yes, whose probability is
            σ of it; "labels": K labels, each of which applies or not, with σ of each output as probability; "number": K
            numbers, unchanged; "features": the outputs are not predictions.
        threshold: probability from which a "binary" head means yes and a label applies; above 0 and below 1.
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
        """Return a head from its kind; a Head, or None for an unspecified head, is returned unchanged."""
        return head if head is None or isinstance(head, Head) else cls(head)

    def probabilities(self, logits: AnyFloats) -> Floats:
        """Return probabilities 0–1 of outputs (N, K): (N, 2) of no and yes for "binary", else (N, K).

        If they are undefined for an image, because an output is NaN or infinite, all of its probabilities are NaN.

        Raises:
            TypeError: the head has no probabilities.
        """
        wide = logits.astype(np.float64)
        if self.kind == "classes":
            wide = as_logits(wide)
            defined = np.isfinite(wide.max(axis=1, keepdims=True))
            return np.where(defined, softmax(np.where(defined, wide, 0), axis=1), np.nan)
        if self.kind == "binary":
            return np.concatenate([expit(-wide), expit(wide)], axis=1)
        if self.kind == "labels":
            return np.where(np.isnan(wide).any(axis=1, keepdims=True), np.nan, expit(wide))
        raise TypeError(f"A head of {self.kind} has no probabilities.")

    def groups(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the groups that ``group`` numbers, from the names that ``fit`` returns."""
        return (*names, NO_LABEL) if self.kind == "labels" else tuple(names)

    def group(self, logits: AnyFloats) -> list[int | None]:
        """Return the predicted group of each image from outputs (N, K).

        For "classes" it is the most probable class; for "binary" 1 from the threshold, else 0; for "labels" the most
        probable label, or K (no label) if that is below the threshold. It is None where outputs are NaN or infinite.
        """
        groups: list[int | None] = []
        for row in self.probabilities(logits):
            if np.isnan(row).any():
                groups.append(None)
            elif self.kind == "binary":
                groups.append(int(row[1] >= self.threshold))
            else:
                best = int(row.argmax())
                groups.append(len(row) if self.kind == "labels" and row[best] < self.threshold else best)
        return groups


@dataclass(frozen=True, slots=True)
class Fitted:
    """A head that fits the outputs of a network.

    Attributes:
        head: the meaning of the outputs.
        names: names of the K outputs; for "binary" two, of no and of yes.
        assumed: whether the head was assumed, not specified.
        ready: whether the outputs of "classes" are probabilities already, see ``as_logits``.
        doubtful: whether all outputs of "binary" or "labels" are between 0 and 1, as probabilities are.
    """

    head: Head
    names: tuple[str, ...] = field(default=())
    assumed: bool = False
    ready: bool = False
    doubtful: bool = False


def are_distributions(outputs: AnyFloats) -> bool:
    """Return whether all rows of outputs (N, K ≥ 2) are distributions: 0 or more each, and 1 in sum.

    They are if a network ends in a softmax in fp32 or fp16. Logits have such sums hardly ever, and not for all images.
    """
    if outputs.ndim != 2 or outputs.shape[1] < 2 or not outputs.size:
        return False
    return bool((outputs >= 0).all() and (np.abs(outputs.sum(axis=1, dtype=np.float64) - 1) < _ROUNDING).all())


def as_logits(outputs: AnyFloats) -> Floats:
    """Return outputs (N, K) of a head of classes as logits: their logarithms if they are probabilities already."""
    wide = outputs.astype(np.float64)
    if not are_distributions(wide):
        return wide
    with np.errstate(divide="ignore"):
        return np.log(wide)


def fit(head: Head | None, outputs: int, names: Sequence[str] = ()) -> Fitted:
    """Return the head of a network with K ``outputs``, and their names; None as head is replaced by an assumption.

    Two or more outputs are assumed to be classes. A single output is not a distribution over classes, so it is taken as
    a plain number unless a head is specified.

    Args:
        head: the specified head, or None.
        outputs: K.
        names: the specified names: K of them; for "binary" one, of yes, or two, of no and yes; or an empty sequence.

    Raises:
        HeadMismatch: the head is for another number of outputs, or needs another number of names.
    """
    known = head or Head("classes" if outputs > 1 else "number")
    if known.kind == "classes" and outputs < 2:
        raise HeadMismatch(
            f"A head of classes needs two outputs or more, and this network has {outputs}. If it is the logit of yes, "
            f"specify {_HOW_TO_SAY}; if it is a number, specify number."
        )
    if known.kind == "binary" and outputs != 1:
        raise HeadMismatch(
            f"A binary head has one output, and this network has {outputs}: specify classes (softmax over all of them) "
            "or labels (each applies or not)."
        )
    called, takes = _names(known.kind, outputs)
    if known.kind == "binary" and len(names) == 1:
        called = (f"not {names[0]}", names[0])
    elif names and len(names) != len(called) and known.kind != "features":
        hint = (
            f" If the one output is the logit of yes, specify {_HOW_TO_SAY}." if head is None and outputs == 1 else ""
        )
        raise HeadMismatch(f"There are {len(names):,} names of {takes}.{hint}")
    elif names:
        called = tuple(names)
    return Fitted(known, called, assumed=head is None)


def fit_output(head: Head | None, output: object, images: int, names: Sequence[str], called: str) -> Fitted:
    """Return ``fit`` for the output of a network for N ``images``; ``called`` is the name of the network.

    Raises:
        HeadMismatch: as ``fit``, or a head was specified and the output is not a table (N, K) of fractions.
        NoPredictions: the head is "features", or no head was specified and the output is not such a table.
    """
    outputs = columns(output, images)
    if head is not None and head.kind == "features":
        raise NoPredictions(f"The output of {called} is taken as features, so there are no predictions.")
    if outputs:
        fitted = fit(head, outputs, names)
        what = not_fractions(output)
        if what and (fitted.head.kind != "number" or what.startswith("complex")):
            said = f"{called} returns {what}, not logits"
            if head is not None:
                raise HeadMismatch(f"A head of {head.kind} needs logits, and {said}: specify features.")
            raise NoPredictions(f"{said}, so there are no predictions.")
        values = table(output, images)
        if values is None or fitted.head.kind == "number":
            return fitted
        if fitted.head.kind == "classes":
            return replace(fitted, ready=are_distributions(values))
        return replace(fitted, doubtful=values.size >= _ENOUGH and bool(((values >= 0) & (values <= 1)).all()))
    returned = f"{called} returns {describe_output(output, images)}"
    if head is not None:
        raise HeadMismatch(
            f"A head of {head.kind} needs a table of outputs (N, K), and {returned}: leave the head out, or specify "
            "features."
        )
    parts = parts_with_table(output, images)
    hint = f" Wrap it so that it returns only {' or '.join(parts[:3])}." if parts else ""
    raise NoPredictions(f"{returned}, not a single table of logits, so there are no predictions.{hint}")


def expected_outputs(head: Head | None, names: int) -> int:
    """Return the number of outputs that this number of names is for."""
    return 1 if head and head.kind == "binary" else names


def _names(kind: HeadKind, outputs: int) -> tuple[tuple[str, ...], str]:
    """Return default names of outputs, and the rest of the sentence for a wrong number of names."""
    logits = counted(outputs, "logit")
    if kind == "binary":
        return ("negative", "positive"), "classes; a binary head takes two (of no and of yes) or one (of yes)"
    if kind == "number":
        numbered = tuple(f"output {index}" for index in range(outputs)) if outputs > 1 else ("output",)
        return numbered, f"outputs and {counted(outputs, 'number')}"
    if kind == "labels":
        return tuple(f"label {index}" for index in range(outputs)), f"labels and {logits}"
    return tuple(f"class {index}" for index in range(outputs)), f"classes and {logits}"
