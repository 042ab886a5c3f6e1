"""Cards of the demo networks: how each was trained, its accuracy and its cost."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from se_viz.data.preprocess import Preprocess
from se_viz.demo.recipe import Recipe
from se_viz.demo.right_answers import RightAnswers
from se_viz.demo.seresnet import SEResNetConfig
from se_viz.disk.atomic import write_bytes
from se_viz.weights.head import HeadKind


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Top-1 accuracy on one centre crop: counts, share, and its 95% interval (Wilson)."""

    correct: int
    of: int
    top1: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Card:
    """The card of a demo network.

    Attributes:
        name: name of the model and its files, for instance "r16".
        network: configuration of the network.
        recipe, data, seed, versions: what it was trained with; ``data`` is {split: number of images}.
        preprocess, classes: preprocessing of images, and names of the classes.
        accuracy: accuracy of the stored weights on Imagenette's validation set.
        params: number of weights and biases.
        macs: multiply-accumulates per image of convolutions and FC layers.
        seconds, device: time spent in training steps, and the device.
        log: loss by epoch, with top-1 accuracy after the epochs in which it was measured.
        sha256, bytes: of the weights file.
        head: meaning of the outputs; "classes" in cards without this field.
        right: which validation images are classified correctly; None in cards that were written before SE Viz kept
            them.

    Raises:
        ValueError: ``right`` is of another number of images, or of correct answers, than ``accuracy``.
    """

    name: str
    network: SEResNetConfig
    recipe: Recipe
    data: dict[str, int]
    seed: int
    versions: dict[str, str]
    preprocess: Preprocess
    classes: tuple[str, ...]
    accuracy: Accuracy
    params: int
    macs: int
    seconds: float
    device: str
    log: tuple[dict[str, float], ...]
    sha256: str
    bytes: int
    head: HeadKind = "classes"
    right: RightAnswers | None = None

    def __post_init__(self) -> None:
        if self.right is None:
            return
        counted = int(self.right.unpacked().sum()), self.right.images
        if counted != (self.accuracy.correct, self.accuracy.of):
            raise ValueError(
                f"{counted[0]} of {counted[1]} bits of right answers do not agree with the accuracy of "
                f"{self.accuracy.correct} of {self.accuracy.of}"
            )

    def summary(self) -> str:
        """Return a one-line summary for users."""
        return (
            f"SE-ResNet-26 (width {self.network.width}) trained on Imagenette, {self.params / 1e6:.2f} M parameters, "
            f"{self.accuracy.top1:.1%} top-1 on its validation set"
        )

    def write(self, path: Path) -> None:
        """Write the card as JSON, completely or not at all."""
        write_bytes(path, _JSON.dump_json(self, indent=2) + b"\n")

    @classmethod
    def read(cls, path: Path) -> "Card":
        """Read a card that ``write`` wrote, and check the type of every field."""
        return _JSON.validate_json(path.read_bytes())


_JSON = TypeAdapter(Card)
