"""What attention did to one picture, in a sentence or two."""

import numpy as np

from se_viz.gates.capture import Capture
from se_viz.study.predictions import Prediction


def summary(capture: Capture, focus: int, prediction: Prediction) -> str:
    """Sentences that name where the network turned channels down, kept them, and told the pictures apart.

    Args:
        capture: of N images.
        focus: the image the words are about.
        prediction: its most probable class.
    """
    down = {name: float((capture[name].s[focus] < 0.5).mean()) for name in capture.readings}
    kept, shut = min(down, key=lambda name: down[name]), max(down, key=lambda name: down[name])
    sentences = [f"The network says {prediction.label} ({prediction.probability:.0%})."]
    if kept == shut:
        sentences.append(f"{shut} turned {down[shut]:.0%} of its channels down to less than half.")
    else:
        sentences.append(
            f"On the way, {shut} turned {down[shut]:.0%} of its channels down to less than half, "
            f"{kept} only {down[kept]:.0%}."
        )
    images = len(capture.logits)
    if images > 1:
        varies = {name: float(np.std(capture[name].s, axis=0).mean()) for name in capture.readings}
        apart = max(varies, key=lambda name: varies[name])
        sentences.append(
            f"The gate that treats these {images} pictures most differently is {apart} "
            f"(s varies by {varies[apart]:.2f} between them)."
        )
    return " ".join(sentences)
