"""Networks that the user trained with `se-viz train`: cards and weights in a folder of the user."""

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from se_viz.demo import pretrained
from se_viz.demo.build import name_of
from se_viz.demo.card import Card

VARIABLE = "SE_VIZ_NETWORKS"


@dataclass(frozen=True, slots=True)
class UserNetworks:
    """The networks of the user.

    Attributes:
        cards: cards with any seed, by name.
        weights: names of those whose weights are beside their card, and are those of the card.
        notes: sentences on files that are left out, and why.
    """

    cards: tuple[Card, ...] = ()
    weights: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def folder() -> Path:
    """Return the folder of the user's networks: that of the environment variable, else one in the user's cache."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path.home() / ".cache" / "se-viz" / "networks"


def changed() -> float:
    """Return when a card of the user was last added, replaced or removed, in seconds; 0 without any."""
    return pretrained.changed(folder())


def bundled_names() -> frozenset[str]:
    """Return the names of the shipped networks with any seed, which the user's networks cannot have."""
    places = (pretrained.folder(), pretrained.folder() / pretrained.SEEDS)
    return frozenset(path.stem for place in places for path in place.glob("*.json"))


def user_networks() -> UserNetworks:
    """Return the networks in the user's folder; damaged and unsuitable cards are left out, with a note on each."""
    base, cards, notes, names = folder(), {}, [], bundled_names()
    for path in [*sorted(base.glob("*.json")), *sorted((base / pretrained.SEEDS).glob("*.json"))]:
        try:
            card = Card.read(path)
        except (OSError, ValidationError) as error:
            notes.append(f"{path} is left out, because it is not a card or damaged ({_reason(error)}).")
            continue
        name = name_of(card.network, card.seed)
        if not path.stem == card.name == name:
            notes.append(
                f"{path} is left out: the name of its card is {card.name}, and that of its configuration {name}."
            )
        elif name in names:
            notes.append(f"{path} is left out, because {name} is a shipped network: train it with another --seed.")
        else:
            cards[name] = card
    weights = set()
    for name, card in cards.items():
        path = _weights(card)
        if path.is_file() and _sha256(path, path.stat().st_mtime_ns) == card.sha256:
            weights.add(name)
        elif path.is_file():
            notes.append(f"{path} is left out, because it is not the file that its card describes (sha256 differs).")
    return UserNetworks(tuple(cards.values()), frozenset(weights), tuple(notes))


def find(name: str) -> Card | None:
    """Return the card of a network of the user that has seed 0 and weights, or None."""
    networks = user_networks()
    return next((one for one in networks.cards if one.name == name and name in networks.weights and not one.seed), None)


def stored() -> tuple[tuple[Card, Path], ...]:
    """Return the cards that have weights, each with the folder of its weights."""
    networks = user_networks()
    return tuple((card, _weights(card).parent) for card in networks.cards if card.name in networks.weights)


def _weights(card: Card) -> Path:
    return folder() / (pretrained.SEEDS if card.seed else ".") / f"{card.name}.safetensors"


@lru_cache(maxsize=256)
def _sha256(path: Path, changed: int) -> str:
    """Return the sha256 of a file, which is read once; ``changed`` is its time, so that a new file is read again."""
    del changed  # part of the key
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'JSON'}: {first['msg']}"
    return str(error)
