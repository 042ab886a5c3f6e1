"""The paper's ablations, one choice in the design of a gate each, and the demo models that answer for them here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from se_viz.demo.card import Card
from se_viz.demo.paper_ablations import TABLE_10, TABLE_11, TABLE_12, TABLE_13, TABLE_14, Row
from se_viz.demo.seresnet import STAGES, SEResNetConfig


@dataclass(frozen=True, slots=True)
class DesignChoice:
    """One choice.

    Attributes:
        title: what is chosen, for people.
        field: of ``SEResNetConfig``.
        table: number of the paper's table on it.
        rows: that table.
    """

    title: str
    field: Literal["r", "squeeze", "gate", "gated_stages", "integration"]
    table: int
    rows: tuple[Row, ...]


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


def choice_label(ablation: DesignChoice, config: SEResNetConfig) -> str:
    """What a network chose, spelled as in ``Row.name``: "r = 16", "max", "ReLU", "stages 2–4", "no SE"."""
    if not config.gated:
        return NO_SE
    if ablation.field == "r":
        return f"r = {config.r}"
    if ablation.field == "gated_stages":
        return _stages(config.gated_stages)
    chosen = str(getattr(config, ablation.field))
    return _SPELLED.get(chosen, chosen)


def variants_of(ablation: DesignChoice, cards: Sequence[Card], *, seed: int | None = 0) -> tuple[Card, ...]:
    """The cards of networks that differ from the standard one in that choice at most, in the order of the choices.

    The network without SE is one of them where the paper's table has it, and comes last.

    Args:
        ablation: the choice.
        cards: of the family.
        seed: of the training; None for all.
    """
    standard = SEResNetConfig()
    plain = any(row.name == NO_SE for row in ablation.rows)

    def belongs(card: Card) -> bool:
        if not card.network.gated:
            return plain
        return replace(card.network, **{ablation.field: getattr(standard, ablation.field)}) == standard

    found = [card for card in cards if (seed is None or card.seed == seed) and belongs(card)]
    order = [row.name for row in ablation.rows if row.name != NO_SE]

    def sort_key(card: Card) -> tuple[int, int, str, int]:
        name = choice_label(ablation, card.network)
        last = len(order) if card.network.gated else len(order) + 1
        return order.index(name) if name in order else last, card.network.r or 0, card.name, card.seed

    return tuple(sorted(found, key=sort_key))


def _stages(gated: tuple[int, ...]) -> str:
    if gated == STAGES:
        return "all stages"
    if len(gated) == 1:
        return f"stage {gated[0]}"
    unbroken = gated == tuple(range(gated[0], gated[-1] + 1))
    return f"stages {gated[0]}–{gated[-1]}" if unbroken else f"stages {', '.join(map(str, gated))}"
