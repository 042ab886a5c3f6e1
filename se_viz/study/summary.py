"""What attention did to one picture, in a sentence or two."""

from collections.abc import Mapping

import numpy as np

from se_viz.gates.capture import Array, Capture

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
    broken = [name for name, reading in capture.readings.items() if not np.isfinite(reading.s).all()]
    weights = {name: reading.s for name, reading in capture.readings.items() if name not in broken}
    sentences = [said]
    if broken:
        more = f" and {len(broken) - 1} other {'gate' if len(broken) == 2 else 'gates'}" if len(broken) > 1 else ""
        sentences.append(f"s is not finite (NaN or infinite) in {broken[0]}{more}.")
    return " ".join([*sentences, *_means(weights, focus), *_changes(weights)])


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
    varies = {name: float(s.std(axis=0).mean()) for name, s in weights.items()}
    images = len(next(iter(weights.values()), ()))
    if images < 2:
        return []
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
