"""Training recipe of the demo networks: every setting that affects accuracy; it is stored in the card."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from se_viz.data.preprocess import Preprocess

# For evaluation: the shorter side is resized to 128 pixels, then one centre crop is taken.
PREPROCESS = Preprocess(crop=(128, 128), resize=128)


@dataclass(frozen=True, slots=True)
class Recipe:
    """SGD with one learning-rate cycle over progressively larger crops, and an average of the weights.

    Attributes:
        epochs: passes over the training set.
        batch: images per step.
        sizes: crop sizes in pixels, each with its share of the epochs. Small crops come first, because they are cheap.
        scale: the range of a random crop's area, as a share of the image's.
        peak_lr, warmup, momentum, weight_decay: settings of SGD; biases and BatchNorm have no weight decay.
        augment: one random change of colour or shape of random strength for each crop (TrivialAugment), against
            overfitting: without it these networks memorise their 9,469 training images.
        gate_lr: factor by which the learning rate of the gates' FC layers is higher. Their input is a mean over pixels
            of BatchNorm's output, close to zero, so s leaves 0.5 slowly. With a factor of ten, s ends at 0 and 1 and
            overfits. (For the same reason the residual branches are not initialised to zero, as in many recipes.)
        label_smoothing: share of a label that is spread over all classes.
        averaging: decay per step of the exponential moving average of weights; the average is what is stored.
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
        """Return the crop size of an epoch (counted from 0) in pixels."""
        ends = [round(share * self.epochs) for share in accumulate(share for _, share in self.sizes)]
        return self.sizes[min(bisect_right(ends, epoch), len(self.sizes) - 1)][0]
