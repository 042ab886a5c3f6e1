"""Predictions of a network: what its outputs say about an image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from se_viz.analysis.head_sentences import FEW
from se_viz.data.imagenette import CLASSES
from se_viz.data.images import InputImage
from se_viz.gates.capture import Capture
from se_viz.model.model import Model
from se_viz.types import Float32s, Floats, Positions
from se_viz.weights.head import Fitted, Head, HeadMismatch, NoPredictions, fit, fit_output
from se_viz.weights.output_shape import not_fractions, table
from se_viz.wording import signed

_SAID = 5  # maximum number of labels or numbers that a sentence lists


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class, label or number that a network returns for an image.

    Attributes:
        label: the name of the class, label or number.
        probability: 0–1; None for a number.
        number: the output itself; None if there is a probability.
        holds: True if the network predicts it, False if it is only one of the next most probable.
    """

    label: str
    probability: float | None
    number: float | None = None
    holds: bool = True

    @property
    def amount(self) -> str:
        """The probability or the number, in words."""
        if self.probability is not None:
            return f"{self.probability:.0%}"
        return "" if self.number is None else signed(self.number, ".4g")


@dataclass(frozen=True, slots=True)
class ImagePredictions:
    """The predictions of a network for one image.

    Attributes:
        shown: the predictions to show, those that hold first; empty if the outputs cannot be read.
        said: the prediction in words; empty if the outputs cannot be read.
        sentence: the prediction as a sentence, or what is wrong.
        group: the group to which the prediction assigns the image; None if it is unknown, or the head has no groups.
        closest: "closest of 10 classes", where the image may show something that a network of few classes cannot say.
        outside: whether the image is known to show none of the network's classes.
    """

    shown: tuple[Prediction, ...]
    said: str
    sentence: str
    group: str | None
    closest: str = ""
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predictions of a network for N images.

    Attributes:
        images: the predictions for each image.
        fitted: the meaning of the outputs; None if nothing is predicted.
        missing: why nothing is predicted, as a sentence; otherwise empty.
        outputs: the table (N, K) of outputs; (N, 0) if nothing can be read.
    """

    images: tuple[ImagePredictions, ...]
    fitted: Fitted | None
    missing: str
    outputs: Float32s

    @property
    def groups(self) -> list[str | None]:
        """The group of each image; None if it is unknown, or the head has no groups."""
        return [one.group for one in self.images]


def predict(model: Model, capture: Capture, k: int = 5, *, images: Sequence[InputImage] | None = None) -> Predictions:
    """Read the predictions for the images of a capture, according to the model's head.

    Args:
        model: the model whose ``head`` and ``classes`` are used.
        capture: a capture of the same model.
        k: maximum number of classes, labels or numbers to show for each image.
        images: the images of the capture. With them, predictions of a network of few classes say that they are the
            closest of these, unless an image is known to show one of them.
    """
    outputs = table(capture.output, capture.images)
    returned = capture.output if outputs is None or not_fractions(capture.output) else outputs
    try:
        fitted = fit_output(model.head, returned, capture.images, model.classes, type(model.network).__name__)
    except (NoPredictions, HeadMismatch) as error:
        nothing = ImagePredictions((), "", str(error), None)
        return Predictions((nothing,) * capture.images, None, str(error), np.zeros((capture.images, 0), np.float32))
    read = np.zeros((capture.images, 0), np.float32) if outputs is None else outputs
    said = _each(fitted, read, k)
    if images is not None and fitted.head.kind == "classes" and len(fitted.names) <= FEW:
        said = tuple(_closest(one, image, fitted.names) for one, image in zip(said, images, strict=True))
    return Predictions(said, fitted, "", read)


def top(logits: Float32s, classes: tuple[str, ...], k: int = 5) -> list[list[Prediction]]:
    """Return the k most probable classes of each image, most probable first; an empty list for NaN or infinity.

    Args:
        logits: (N, K), of a head of classes.
        classes: K names; without names, classes are named by number.
        k: number of classes; fewer if K is smaller.

    Raises:
        HeadMismatch: K is less than 2, or the number of names is not K.
    """
    return [list(one.shown) for one in _each(fit(Head("classes"), logits.shape[1], classes), logits, k)]


def _each(fitted: Fitted, outputs: Float32s, k: int) -> tuple[ImagePredictions, ...]:
    """Return the predictions for each row of outputs (N, K)."""
    if fitted.head.kind == "number":
        return tuple(_number(fitted.names, row, k) for row in outputs.tolist())
    say = _SAYING[fitted.head.kind]
    probabilities, groups = fitted.head.probabilities(outputs), fitted.head.group(outputs)
    names = fitted.head.groups(fitted.names)
    return tuple(
        _unread(row)
        if group is None
        else _told(*say(fitted, probability, np.argsort(-probability, kind="stable"), k), names[group])
        for row, probability, group in zip(outputs, probabilities, groups, strict=True)
    )


def _told(shown: list[Prediction], said: str, group: str | None) -> ImagePredictions:
    return ImagePredictions(tuple(shown), said, f"The network says {said}.", group)


def _closest(said: ImagePredictions, image: InputImage, names: tuple[str, ...]) -> ImagePredictions:
    """Return the prediction of a network of few classes for an image, which may show none of them."""
    if not said.shown or (image.shows is not None and set(image.shows) & set(names)):
        return said
    count = len(names)
    # What other networks of few classes mean by their names is not known.
    if image.shows is not None and set(names) <= set(CLASSES.values()):
        sentence = f"The image shows none of the {count} classes of this network; the closest is {said.said}."
        return replace(said, sentence=sentence, closest=f"closest of {count} classes", outside=True)
    sentence = f"The network says {said.said}, the closest of its {count} classes."
    return replace(said, sentence=sentence, closest=f"closest of {count} classes")


def _unread(row: Float32s) -> ImagePredictions:
    what = "NaN" if np.isnan(row).any() else "infinite numbers"
    return ImagePredictions((), "", f"The network returned {what} for this image, so it has no prediction.", None)


_Said: TypeAlias = tuple[list[Prediction], str]


def _classes(fitted: Fitted, probability: Floats, best: Positions, k: int) -> _Said:
    shown = [
        Prediction(fitted.names[index], float(probability[index]), holds=not place)
        for place, index in enumerate(best[:k])
    ]
    return shown, f"{shown[0].label} ({shown[0].amount})"


def _binary(fitted: Fitted, probability: Floats, best: Positions, k: int) -> _Said:
    del best, k  # both classes are shown, the predicted one first
    said = int(probability[1] >= fitted.head.threshold)
    shown = [
        Prediction(fitted.names[index], float(probability[index]), holds=index == said) for index in (said, 1 - said)
    ]
    moved = "" if fitted.head.threshold == 0.5 else f"; {fitted.names[1]} at {fitted.head.threshold:.0%} or more"
    return shown, f"{shown[0].label} ({shown[0].amount}{moved})"


def _labels(fitted: Fitted, probability: Floats, best: Positions, k: int) -> _Said:
    threshold = fitted.head.threshold
    ranked = [
        Prediction(fitted.names[index], float(probability[index]), holds=bool(probability[index] >= threshold))
        for index in best
    ]
    holding = [one for one in ranked if one.holds]
    if not holding:
        first = ranked[0]
        said = (
            f"none of {len(ranked)} labels (the most probable, {first.label}, has {first.amount}; the threshold is "
            f"{threshold:.0%})"
        )
        return ranked[:k], said
    more = f" and {len(holding) - _SAID} more" if len(holding) > _SAID else ""
    return ranked[:k], ", ".join(f"{one.label} ({one.amount})" for one in holding[:_SAID]) + more


def _number(names: tuple[str, ...], row: list[float], k: int) -> ImagePredictions:
    shown = [Prediction(name, None, value) for name, value in zip(names, row, strict=True)]
    if not np.isfinite(row).all():
        return _unread(np.asarray(row, dtype=np.float32))
    more = f" and {len(shown) - _SAID} more" if len(shown) > _SAID else ""
    said = ", ".join(f"{one.label} {one.amount}" for one in shown[:_SAID]) + more
    return ImagePredictions(tuple(shown[:k]), said, f"The network returns {said}.", None)


_SAYING: dict[str, Callable[[Fitted, Floats, Positions, int], _Said]] = {
    "classes": _classes,
    "binary": _binary,
    "labels": _labels,
}
