"""Checks of a training before it starts: whether its network exists already, and whether its name is free."""

from pathlib import Path

from pydantic import ValidationError

from se_viz.demo import pretrained, user_networks
from se_viz.demo.card import Card
from se_viz.demo.recipe import Recipe


def is_finished(path: Path, recipe: Recipe) -> bool:
    """Return whether a network is trained already, so that its card and its weights are not written again.

    Args:
        path: its card, beside which its weights are.
        recipe: the recipe of the training that is asked for.

    Raises:
        ValueError: the folder is the user's and the name that of a shipped network, or the card is damaged or has
            another recipe.
    """
    base = path.parent.parent if path.parent.name == pretrained.SEEDS else path.parent
    if base.resolve() == user_networks.folder().resolve() and path.stem in user_networks.bundled_names():
        raise ValueError(
            f"{path.stem} is a shipped network: train it with another --seed, or name another folder with --out."
        )
    if not path.exists():
        return False
    try:
        card = Card.read(path)
    except ValidationError:
        raise ValueError(f"{path} is not a card or damaged: remove it, or name another folder with --out.") from None
    if card.recipe != recipe:
        raise ValueError(
            f"{path} is of a training with another recipe ({_difference(card.recipe, recipe)}) and would be "
            "overwritten: name another folder with --out, or another --seed."
        )
    return path.with_suffix(".safetensors").is_file()


def _difference(existing: Recipe, recipe: Recipe) -> str:
    """Return the settings that differ, in words: "epochs 60, not 2"."""
    names = (name for name in Recipe.__slots__ if getattr(existing, name) != getattr(recipe, name))
    return "; ".join(f"{name} {getattr(existing, name)}, not {getattr(recipe, name)}" for name in names)
