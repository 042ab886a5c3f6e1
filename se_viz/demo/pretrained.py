"""The demo networks of ``pretrained/``: safetensors, each with a card, checked before use."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import nn

from se_viz.demo.card import Card
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.weights.errors import WeightsRefused

# Where cards of other seeds lie, below the folder of the models.
SEEDS = "seeds"


def folder() -> Path:
    """``pretrained/``: inside an installed package, beside the package in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "pretrained"
    return inside if inside.is_dir() else package.parent / "pretrained"


def names(root: Path | None = None) -> tuple[str, ...]:
    """Names of the demo models in a folder, sorted."""
    return tuple(sorted(path.stem for path in (root or folder()).glob("*.json")))


def card(name: str, root: Path | None = None) -> Card:
    """The card of a demo model."""
    return Card.read((root or folder()) / f"{name}.json")


def cards(root: Path | None = None) -> tuple[Card, ...]:
    """All cards of a folder: the models by name, then other seeds of some, of which mostly the cards alone ship."""
    there = root or folder()
    return tuple(Card.read(path) for base in (there, there / SEEDS) for path in sorted(base.glob("*.json")))


def stored(root: Path | None = None) -> tuple[tuple[Card, Path], ...]:
    """The cards whose weights are there, each with the folder to give to ``network``."""
    there = root or folder()
    placed = ((card, there / SEEDS if card.seed else there) for card in cards(root))
    return tuple((card, base) for card, base in placed if (base / f"{card.name}.safetensors").is_file())


def network(card: Card, root: Path | None = None) -> SEResNet:
    """The network of a card with its weights, in eval mode.

    Raises:
        WeightsRefused: the file is missing, or its sha256 is not the card's.
    """
    path = (root or folder()) / f"{card.name}.safetensors"
    if not path.is_file():
        raise WeightsRefused(
            f"The weights {path} are missing: install SE Viz again, or train them with `se-viz train`."
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise WeightsRefused(f"{path} is not the file its card was written for (sha256 differs): get it again.")
    return restore(content, card.network)


def store(net: nn.Module) -> bytes:
    """A network as safetensors: matrices and kernels in half precision, BatchNorm and biases as they are."""
    state = {name: t.half() if t.is_floating_point() and t.ndim > 1 else t for name, t in net.state_dict().items()}
    contiguous = {name: t.detach().cpu().contiguous(memory_format=torch.contiguous_format) for name, t in state.items()}
    return save(contiguous)


def restore(content: bytes, config: SEResNetConfig) -> SEResNet:
    """What ``store`` stored, in eval mode; half-precision values are widened, so the network computes in float32."""
    net = SEResNet(config)
    net.load_state_dict(load(content))
    return net.eval()
