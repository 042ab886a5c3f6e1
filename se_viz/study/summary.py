"""What attention did to one picture, in a sentence or two."""

import numpy as np

from se_viz.gates.capture import Capture


def summary(capture: Capture, focus: int, said: str) -> str:
    """Sentences that name where the network turned channels down most and least, and told the pictures apart.

    Args:
        capture: of N images.
        focus: the image the words are about.
        said: a sentence on what the network says of it, or why it says nothing.
    """
    # The mean, and no share of channels below a threshold: weights that lie at one would flip with every rounding.
    mean = {name: float(reading.s[focus].mean()) for name, reading in capture.readings.items()}
    low, high = min(mean, key=lambda name: mean[name]), max(mean, key=lambda name: mean[name])
    sentences = [said]
    if low == high:
        sentences.append(f"{low} weighs its channels by {mean[low]:.2f} on average.")
    else:
        sentences.append(
            f"On the way, channels are weighed lowest in {low} (mean of s {mean[low]:.2f}) "
            f"and highest in {high} ({mean[high]:.2f})."
        )
    images = capture.images
    varies = {name: float(np.std(capture[name].s, axis=0).mean()) for name in capture.readings}
    apart = max(varies, key=lambda name: varies[name])
    if images > 1 and len(varies) == 1:
        sentences.append(f"Its s varies by {varies[apart]:.2f} between these {images} pictures.")
    elif images > 1:
        sentences.append(
            f"The gate that treats these {images} pictures most differently is {apart} "
            f"(s varies by {varies[apart]:.2f} between them)."
        )
    return " ".join(sentences)
