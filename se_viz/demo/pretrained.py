"""Demo networks of ``pretrained/``: safetensors files, each with a card, verified before use."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import nn

from se_viz.demo.card import Card
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.weights.errors import WeightsRefused

# Subfolder for the cards of other seeds.
SEEDS = "seeds"


def folder() -> Path:
    """Return the folder ``pretrained/``: inside an installed package, beside the package in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "pretrained"
    return inside if inside.is_dir() else package.parent / "pretrained"


def names(root: Path | None = None) -> tuple[str, ...]:
    """Return the sorted names of the demo models in a folder."""
    return tuple(sorted(path.stem for path in (root or folder()).glob("*.json")))


def card(name: str, root: Path | None = None) -> Card:
    """Return the card of a demo model."""
    return Card.read((root or folder()) / f"{name}.json")


def cards(root: Path | None = None) -> tuple[Card, ...]:
    """Return all cards of a folder: the models by name, then other seeds, most of which have no weights."""
    base = root or folder()
    return tuple(Card.read(path) for place in (base, base / SEEDS) for path in sorted(place.glob("*.json")))


def changed(root: Path | None = None) -> float:
    """Return when a card of a folder was last added, replaced or removed, in seconds; 0 for an empty folder."""
    base = root or folder()
    places = [place for place in (base, base / SEEDS) if place.is_dir()]
    return max((path.stat().st_mtime for place in places for path in (place, *place.glob("*.json"))), default=0.0)


def stored(root: Path | None = None) -> tuple[tuple[Card, Path], ...]:
    """Return the cards that have weights, each with the folder to pass to ``network``."""
    base = root or folder()
    located = ((card, base / SEEDS if card.seed else base) for card in cards(root))
    return tuple((card, place) for card, place in located if (place / f"{card.name}.safetensors").is_file())


def network(card: Card, root: Path | None = None) -> SEResNet:
    """Return the network of a card with its weights, in eval mode.

    Raises:
        WeightsRefused: the file is missing, or its sha256 differs from the card's.
    """
    path = (root or folder()) / f"{card.name}.safetensors"
    if not path.is_file():
        raise WeightsRefused(
            f"The weights {path} are missing. Install SE Viz again, or train them with `se-viz train`."
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise WeightsRefused(f"{path} is not the file that its card describes (sha256 differs). Get the file again.")
    return restore(content, card.network)


def store(net: nn.Module) -> bytes:
    """Return a network as safetensors: matrices and kernels in half precision, BatchNorm and biases unchanged."""
    state = {name: t.half() if t.is_floating_point() and t.ndim > 1 else t for name, t in net.state_dict().items()}
    contiguous = {name: t.detach().cpu().contiguous(memory_format=torch.contiguous_format) for name, t in state.items()}
    return save(contiguous)


def restore(content: bytes, config: SEResNetConfig) -> SEResNet:
    """Return the network that ``store`` stored, in eval mode; it computes in float32."""
    net = SEResNet(config)
    net.load_state_dict(load(content))
    return net.eval()
