"""What a network says an image shows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax


@dataclass(frozen=True, slots=True)
class Prediction:
    """A class and its probability, 0–1."""

    label: str
    probability: float


def top(logits: npt.NDArray[np.float32], classes: tuple[str, ...], k: int = 5) -> list[list[Prediction]]:
    """The k most probable classes of each image, most probable first.

    Args:
        logits: (N, K).
        classes: K names; where there are none, classes are called by number.
        k: how many; fewer where K is smaller.
    """
    probabilities = softmax(logits.astype(np.float64), axis=1)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    names = classes or tuple(f"class {index}" for index in range(logits.shape[1]))
    return [
        [Prediction(names[index], float(row[index])) for index in chosen]
        for row, chosen in zip(probabilities, best, strict=True)
    ]
