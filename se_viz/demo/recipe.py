"""How a demo network is trained: every choice that moves its accuracy, in one place, written into its card."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from se_viz.data.preprocess import Preprocess

# What a demo network is measured with: the shorter side to 128 pixels, one centre crop.
PREPROCESS = Preprocess(crop=(128, 128), resize=128)


@dataclass(frozen=True, slots=True)
class Recipe:
    """SGD with one learning-rate cycle over progressively larger crops, and an average of the weights.

    Attributes:
        epochs: passes over the training set.
        batch: images per step.
        sizes: crop sizes in pixels, each with its share of the epochs. Small crops are cheap and come first.
        scale: the range of a random crop's area, as a share of the image's.
        peak_lr, warmup, momentum, weight_decay: of SGD; decay spares biases and BatchNorm.
        augment: one random change of colour or shape of random strength for each crop (TrivialAugment), against
            overfitting: these networks know their 9,469 training images by heart otherwise.
        gate_lr: how many times faster the gates' FC layers learn. Their input is a mean over pixels of BatchNorm's
            output, close to zero, so s is slow to leave 0.5; ten times as fast, it ends at 0 and 1 and overfits. (For
            the same reason the residual branches do not start at zero, as they do in many recipes.)
        label_smoothing: share of a label spread over all classes.
        averaging: decay per step of the exponential moving average of weights that is what ships.
    """

    epochs: int = 60
    batch: int = 64
    sizes: tuple[tuple[int, float], ...] = ((80, 0.2), (96, 0.35), (112, 0.3), (128, 0.15))
    scale: tuple[float, float] = (0.35, 1.0)
    peak_lr: float = 0.1
    warmup: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augment: bool = True
    gate_lr: float = 4.0
    label_smoothing: float = 0.1
    averaging: float = 0.998

    def size(self, epoch: int) -> int:
        """The crop size of an epoch (counted from 0), pixels."""
        ends = [round(share * self.epochs) for share in accumulate(share for _, share in self.sizes)]
        return self.sizes[min(bisect_right(ends, epoch), len(self.sizes) - 1)][0]
