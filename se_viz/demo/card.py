"""The card beside every shipped network: how it was made and what it was measured at."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from se_viz.data.preprocess import Preprocess
from se_viz.demo.recipe import Recipe
from se_viz.demo.seresnet import SEResNetConfig
from se_viz.disk.atomic import write_bytes
from se_viz.weights.head import HeadKind


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Top-1 accuracy, one centre crop: counts, share, and its 95 % interval (Wilson)."""

    correct: int
    of: int
    top1: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Card:
    """All that is known about a demo network.

    Attributes:
        name: of the model and its files, for instance "r16".
        network: its configuration.
        recipe, data, seed, versions: what it was trained with; data is {split: number of images}.
        preprocess, classes: how it is used.
        accuracy: of the weights as stored, on Imagenette's validation set.
        params: weights and biases.
        macs: multiply-accumulates of one image, convolutions and FC layers.
        seconds, device: time spent in training steps, and on what.
        log: loss by epoch, with top-1 where it was measured on the way.
        sha256, bytes: of the weights file.
        head: what the outputs mean; classes in cards that do not say.
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

    def summary(self) -> str:
        """One line for a person."""
        return (
            f"SE-ResNet-26 (width {self.network.width}) trained on Imagenette, {self.params / 1e6:.2f} M parameters, "
            f"{self.accuracy.top1:.1%} top-1 on its validation set"
        )

    def write(self, path: Path) -> None:
        """Write as JSON, at once or not at all."""
        write_bytes(path, _JSON.dump_json(self, indent=2) + b"\n")

    @classmethod
    def read(cls, path: Path) -> "Card":
        """Read what ``write`` wrote, and check the type of every field."""
        return _JSON.validate_json(path.read_bytes())


_JSON = TypeAdapter(Card)
