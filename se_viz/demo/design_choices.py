"""Design choices of a gate that the paper compares in its Tables 10 to 14, and the demo models that vary them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from se_viz.demo.card import Card
from se_viz.demo.paper_tables import TABLE_10, TABLE_11, TABLE_12, TABLE_13, TABLE_14, PaperRow
from se_viz.demo.seresnet import STAGES, SEResNetConfig


@dataclass(frozen=True, slots=True)
class DesignChoice:
    """One design choice.

    Attributes:
        title: name for users.
        field: its field of ``SEResNetConfig``.
        table: number of the paper's table.
        rows: rows of that table.
    """

    title: str
    field: Literal["r", "squeeze", "gate", "gated_stages", "integration"]
    table: int
    rows: tuple[PaperRow, ...]


RATIO = DesignChoice("reduction ratio r", "r", 10, TABLE_10)
DESIGN_CHOICES = (
    RATIO,
    DesignChoice("squeeze operator", "squeeze", 11, TABLE_11),
    DesignChoice("gate function", "gate", 12, TABLE_12),
    DesignChoice("gated stages", "gated_stages", 13, TABLE_13),
    DesignChoice("place in the block", "integration", 14, TABLE_14),
)

NO_SE = "no SE"
_SPELLED = {"relu": "ReLU"}


def choice_label(choice: DesignChoice, config: SEResNetConfig) -> str:
    """Return the value of a choice in a network: "r = 16", "max", "ReLU", "stages 2–4", "no SE", see ``PaperRow``."""
    if not config.gated:
        return NO_SE
    if choice.field == "r":
        return f"r = {config.r}"
    if choice.field == "gated_stages":
        return _stages(config.gated_stages)
    value = str(getattr(config, choice.field))
    return _SPELLED.get(value, value)


def comparable(cards: Sequence[Card]) -> tuple[Card, ...]:
    """Return the cards with the recipe and the numbers of images of the standard network of seed 0.

    Accuracy depends on both, so other cards say nothing on a design choice. All are returned if it is not among them.
    """
    standard = next((card for card in cards if card.network == SEResNetConfig() and not card.seed), None)
    return tuple(
        card for card in cards if standard is None or (card.recipe, card.data) == (standard.recipe, standard.data)
    )


def variants_of(choice: DesignChoice, cards: Sequence[Card], *, seed: int | None = 0) -> tuple[Card, ...]:
    """Return the cards of networks that differ from the standard network only in this choice, or not at all.

    They are in the order of the paper's table. The network without SE is included if the table has it, and comes last.

    Args:
        choice: the design choice.
        cards: cards of the demo models.
        seed: seed of the training; None for all seeds.
    """
    standard = SEResNetConfig()
    includes_no_se = any(row.name == NO_SE for row in choice.rows)

    def belongs(card: Card) -> bool:
        if not card.network.gated:
            return includes_no_se
        return replace(card.network, **{choice.field: getattr(standard, choice.field)}) == standard

    variants = [card for card in cards if (seed is None or card.seed == seed) and belongs(card)]
    order = [row.name for row in choice.rows if row.name != NO_SE]

    def sort_key(card: Card) -> tuple[int, int, str, int]:
        name = choice_label(choice, card.network)
        last = len(order) if card.network.gated else len(order) + 1
        return order.index(name) if name in order else last, card.network.r or 0, card.name, card.seed

    return tuple(sorted(variants, key=sort_key))


def _stages(gated: tuple[int, ...]) -> str:
    if gated == STAGES:
        return "all stages"
    if len(gated) == 1:
        return f"stage {gated[0]}"
    consecutive = gated == tuple(range(gated[0], gated[-1] + 1))
    return f"stages {gated[0]}–{gated[-1]}" if consecutive else f"stages {', '.join(map(str, gated))}"
