"""What attention did to one picture, in a sentence or two."""

from collections.abc import Mapping

import numpy as np

from se_viz.gates.capture import Capture
from se_viz.gates.forward_pass import Array

SEEN = 1e-4
"""Standard deviations of s below this may be those of rounding, and say nothing of the picture."""

_TWO_DIGITS = 0.005  # from here on, two digits are not 0.00


def summary(capture: Capture, focus: int, said: str) -> str:
    """Sentences that name where the network turned channels down most and least, and told the pictures apart.

    Args:
        capture: of N images.
        focus: the image the words are about.
        said: a sentence on what the network says of it, or why it says nothing.
    """
    weights = {name: reading.s for name, reading in capture.readings.items()}
    sentences = [said, capture.not_finite] if capture.not_finite else [said]
    finite = {name: s for name, s in weights.items() if np.isfinite(s[focus]).all()}
    return " ".join([*sentences, *_means(finite, focus), *_changes(_whole(weights))])


def _whole(weights: Mapping[str, Array]) -> Mapping[str, Array]:
    """The gates whose s is finite in some image, in the images in which all of these are finite."""
    rows = {name: np.isfinite(s).all(axis=1) for name, s in weights.items()}
    some = [name for name, whole in rows.items() if whole.any()]
    everywhere = np.logical_and.reduce([rows[name] for name in some]) if some else []
    return {name: weights[name][everywhere] for name in some}


def _means(weights: Mapping[str, Array], focus: int) -> list[str]:
    """Where s is lowest and highest in the image in focus."""
    # The mean, and no share of channels below a threshold: weights that lie at one would flip with every rounding.
    mean = {name: float(s[focus].mean()) for name, s in weights.items()}
    if not mean:
        return []
    low, high = min(mean, key=lambda name: mean[name]), max(mean, key=lambda name: mean[name])
    if low == high:
        return [f"{low} weighs its channels by {mean[low]:.2f} on average."]
    return [
        f"On the way, channels are weighed lowest in {low} (mean of s {mean[low]:.2f}) "
        f"and highest in {high} ({mean[high]:.2f})."
    ]


def _changes(weights: Mapping[str, Array]) -> list[str]:
    """Which gate's s varies most between the images."""
    images = len(next(iter(weights.values()), ()))
    if images < 2:
        return []
    varies = {name: float(s.std(axis=0).mean()) for name, s in weights.items()}
    apart = max(varies, key=lambda name: varies[name])
    if varies[apart] < SEEN:
        where = "Its s" if len(varies) == 1 else "In every gate s"
        return [f"{where} varies by less than {SEEN:g} between these {images} pictures."]
    by = f"{varies[apart]:.2f}" if varies[apart] >= _TWO_DIGITS else f"{varies[apart]:.1g}"
    if len(varies) == 1:
        return [f"Its s varies by {by} between these {images} pictures."]
    return [
        f"The gate that treats these {images} pictures most differently is {apart} (s varies by {by} between them)."
    ]
