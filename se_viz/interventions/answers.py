"""Answers to images of known classes: class, logit and log-likelihood of the target, entropy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import log_softmax

from se_viz.data.dataset import Dataset
from se_viz.model.capture import captured
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.metadata import LabelSource
from se_viz.types import Float32s, Floats, Int64s
from se_viz.weights.head import Fitted, Head, HeadMismatch, NoPredictions, as_logits, fit_output

_LISTED = 5
FIELDS = ("logit", "log_likelihood", "entropy")


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to N images.

    Attributes:
        answer: number of the class that the network answers (N,).
        logit: logit of the target (N,); for a binary head that of yes, or its negative where the target is no.
        log_likelihood: natural logarithm of the target's probability (N,).
        entropy: entropy of the probabilities, in nats (N,).
    """

    answer: Int64s
    logit: Float32s
    log_likelihood: Float32s
    entropy: Float32s


def answers(outputs: Float32s, targets: Int64s | None, head: Head) -> Answers:
    """Return the answers in outputs (N, K).

    Args:
        outputs: outputs of the network; where they are NaN or infinite, so are the numbers of that image.
        targets: the class of each image (N,); the answer itself if not given.
        head: "classes" or "binary".
    """
    binary = head.kind == "binary"
    wide = outputs.astype(np.float64) if binary else as_logits(outputs)
    logits = np.concatenate([-wide, wide], axis=1) if binary else wide
    with np.errstate(invalid="ignore", over="ignore"):
        logs = log_softmax(np.concatenate([np.zeros_like(wide), wide], axis=1) if binary else wide, axis=1)
        shares = np.exp(logs)
        entropy = -np.where(shares > 0, shares * logs, np.where(np.isnan(shares), np.nan, 0)).sum(axis=1)
    answer = (shares[:, 1] >= head.threshold).astype(np.int64) if binary else np.nan_to_num(logits).argmax(axis=1)
    rows, columns = np.arange(len(wide)), answer if targets is None else targets
    told = np.isfinite(outputs).all(axis=1)

    def of_finite(values: Floats) -> Float32s:
        return np.where(told, values, np.nan).astype(np.float32)

    return Answers(answer, of_finite(logits[rows, columns]), of_finite(logs[rows, columns]), of_finite(entropy))


@dataclass(frozen=True, slots=True)
class Targets:
    """Outputs of a network for the classes of a dataset.

    Attributes:
        head: "classes" or "binary".
        classes: names of the classes of the images.
        outputs: number of the output of each class; the same numbers if the labels are predictions.
    """

    head: Head
    classes: tuple[str, ...]
    outputs: tuple[int, ...]


def targets_of(model: Model, dataset: Dataset, labels: LabelSource) -> tuple[Targets, tuple[str, ...]]:
    """Return the outputs of a network for the classes of a dataset, and notes on how they were matched.

    Raises:
        ProfilesError: the data have no labels, the labels are not classes of the network, or it has no classes.
    """
    tried = captured(model, torch.zeros(1, 3, *model.preprocess.crop))
    try:
        fitted = fit_output(model.head, tried.output, 1, model.classes, type(model.network).__name__)
    except (HeadMismatch, NoPredictions) as error:
        raise ProfilesError(str(error)) from error
    if fitted.head.kind not in ("classes", "binary"):
        hint = " If the one output is the logit of yes, say head='binary' (--head binary)." if fitted.assumed else ""
        raise ProfilesError(
            f"An ablation counts right answers of a head of classes or a binary one, not of {fitted.head.kind}.{hint}"
        )
    if labels == "predictions":
        return Targets(fitted.head, fitted.names, tuple(range(len(fitted.names)))), ()
    if not dataset.classes:
        raise ProfilesError(
            f"{dataset.name} has no labels: {dataset.unlabelled}, or compare with the network's own predictions "
            "(labels='predictions', --labels predictions)."
        )
    outputs, notes = _matched(dataset.classes, fitted, named=bool(model.classes))
    return Targets(fitted.head, dataset.classes, outputs), notes


def _matched(classes: Sequence[str], fitted: Fitted, *, named: bool) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the index of the output of each class: by name, or by order if the network's classes have no names."""
    numbers = {name.casefold(): number for number, name in reversed(list(enumerate(fitted.names)))}
    unknown = [name for name in classes if name.casefold() not in numbers]
    if not unknown:
        return tuple(numbers[name.casefold()] for name in classes), ()
    if all(name.isdecimal() and int(name) < len(fitted.names) for name in classes):
        return tuple(map(int, classes)), ()
    if len(classes) == len(fitted.names) and (not named or _are_wordnet(classes)):
        return tuple(range(len(classes))), (
            f"The {len(classes)} classes of the data, in their order, are taken for the network's outputs, which have "
            "no such names.",
        )
    few = ", ".join(map(repr, unknown[:_LISTED])) + (" …" if len(unknown) > _LISTED else "")
    known = ", ".join(map(repr, fitted.names[:_LISTED])) + (" …" if len(fitted.names) > _LISTED else "")
    raise ProfilesError(
        f"The network has no class {few}; its {len(fitted.names)} classes are {known}. Name the folders or labels as "
        "the network's classes, or number them from 0, or compare with its own predictions (labels='predictions', "
        "--labels predictions)."
    )


def _are_wordnet(classes: Sequence[str]) -> bool:
    """Return True for WordNet ids, whose order is that of ImageNet's outputs."""
    return all(len(name) == 9 and name[0] == "n" and name[1:].isdecimal() for name in classes)
