"""Comparison of the stored weights of a demo network with its card: every validation image is classified again."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from se_viz.data.imagenette import Labelled
from se_viz.demo import pretrained
from se_viz.demo.card import Card
from se_viz.demo.evaluate import right_answers
from se_viz.demo.right_answers import RightAnswers
from se_viz.device.transfer import moved

TOLERANCE = 1000
"""Number of images of which one may differ: processors round differently, which can change a close prediction."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The answers of a card's weights now, compared with the card.

    Attributes:
        card: the card.
        right: which images are classified correctly now.
    """

    card: Card
    right: RightAnswers

    @property
    def correct(self) -> int:
        """Number of images that are classified correctly now."""
        return int(self.right.unpacked().sum())

    @property
    def changed(self) -> int | None:
        """Number of images whose answer differs from the card's; None if the card cannot say it of these files."""
        kept = self.card.right
        if kept is None or not kept.same_images(self.right):
            return None
        return int(np.count_nonzero(kept.unpacked() != self.right.unpacked()))

    @property
    def agrees(self) -> bool:
        """True if the weights give the card's accuracy, and the card's answer to each image, but for rounding."""
        allowed = self.card.accuracy.of // TOLERANCE
        return max(abs(self.correct - self.card.accuracy.correct), self.changed or 0) <= allowed

    @property
    def completed(self) -> Card:
        """The card with the answers of now, and the accuracy that they add up to.

        Raises:
            ValueError: the weights do not give the accuracy of the card, or the images are others.
        """
        if self.right.images != self.card.accuracy.of or not self.agrees:
            raise ValueError(
                f"{self.card.name}: {self.correct} of {self.right.images} images are classified correctly, not "
                f"{self.card.accuracy.correct} of {self.card.accuracy.of} as the card says, so the card is left as it "
                "is. Use the weights and the validation images that the card was written for."
            )
        if self.correct != self.card.accuracy.correct:
            raise ValueError(
                f"{self.card.name}: {self.correct} images are classified correctly on this processor, and "
                f"{self.card.accuracy.correct} where the card was written, so the bits would not add up to the card's "
                "accuracy and are not kept. Write them on a processor like that one."
            )
        return replace(self.card, right=self.right)

    def __str__(self) -> str:
        said = (
            f"{self.card.name}: {self.correct} of {self.right.images} correct; the card says "
            f"{self.card.accuracy.correct}"
        )
        if self.card.right is None:
            return f"{said}, and not which images."
        if self.changed is None:
            return f"{said}; the card is of other files (another size of Imagenette?), so images are not compared."
        return f"{said}; {self.changed or 'no'} image{'' if self.changed == 1 else 's'} classified differently."


def verify(card: Card, validation: Labelled, root: Path, device: torch.device) -> Verification:
    """Classify the validation images with the weights of a card.

    Args:
        card: the card.
        validation: the images, cropped to the network's input, with the sha256 of their files.
        root: folder of the weights.
        device: where to compute.

    Raises:
        WeightsRefused: the weights are missing, or not those of the card.
        DeviceFull: the device has not enough memory.
    """
    network = moved(pretrained.network(card, root), device, card.name)
    return Verification(card, RightAnswers.of(right_answers(network, validation, card.preprocess), validation.sha256))
