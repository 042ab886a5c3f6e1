"""Charts of accuracy for a design choice: the demo models, and the paper's table."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from se_viz.demo.card import Card
from se_viz.demo.design_choices import NO_SE, RATIO, DesignChoice, choice_label, variants_of
from se_viz.figures.accuracy import Axis, Point, accuracy_against
from se_viz.figures.chart import Chart
from se_viz.figures.palette import MUTED, ratio_colour

CostOf: TypeAlias = Literal["r", "parameters", "MACs"]
"""Horizontal axis for different ratios: r itself, or the cost."""

_COSTS: dict[CostOf, str] = {
    "parameters": "parameters, millions",
    "MACs": "multiply-accumulates for one image, millions",
}
_R = "reduction ratio r"


def measured_chart(choice: DesignChoice, cards: Sequence[Card], yours: Sequence[Card], cost: CostOf) -> Chart:
    """Draw the accuracy of the demo models, with a dot for each further seed.

    Args:
        choice: the design choice.
        cards: the cards of the demo models, with all seeds.
        yours: cards of the user's networks; those that differ in several choices are drawn, too.
        cost: the axis for different ratios.
    """
    both = [*cards, *yours]
    fitting = variants_of(choice, both, seed=None)
    others = [card for card in yours if card not in fitting and not card.seed]
    labels = {card.name: choice_label(choice, card.network) for card in fitting} | {
        card.name: card.name for card in others
    }
    axis, places = _axis(choice, [*fitting, *others], labels, cost)

    def point(card: Card) -> Point:
        accuracy = card.accuracy
        low, top1, high = (100 * share for share in (accuracy.low, accuracy.top1, accuracy.high))
        colour = "" if choice is not RATIO else _colour_of_ratio(card)
        return Point(labels[card.name], places[card.name], top1, low, high, f"seed {card.seed}", colour)

    return accuracy_against(
        "family",
        "Measured here: demo models on Imagenette",
        axis,
        [point(card) for card in fitting if not card.seed and card not in yours],
        [point(card) for card in fitting if card.seed],
        [point(card) for card in (*fitting, *others) if not card.seed and card in yours],
    )


def _colour_of_ratio(card: Card) -> str:
    return ratio_colour(card.network.r) if card.network.gated and card.network.r else MUTED


def paper_chart(choice: DesignChoice, cost: CostOf) -> Chart:
    """Draw the accuracies of the paper's table; it has no multiply-accumulates for the ratios."""
    if choice is not RATIO:
        axis = Axis(choice.title, {float(place): row.name for place, row in enumerate(choice.rows)})
        places = list(axis.ticks)
    elif cost == "r":
        ratios = [int(row.name.removeprefix("r = ")) for row in choice.rows if row.name != NO_SE]
        places = [*map(float, ratios), _without_se(ratios)]
        axis = Axis(_R, dict(zip(places, [*map(str, ratios), NO_SE], strict=True)), log=True)
    else:
        places = [row.params or 0.0 for row in choice.rows]
        axis = Axis(_COSTS["parameters"], {})
    return accuracy_against(
        f"table_{choice.table}",
        f"The paper's Table {choice.table}: SE-ResNet-50 on ImageNet",
        axis,
        [Point(row.name, place, 100 - row.top1) for row, place in zip(choice.rows, places, strict=True)],
        ours=False,
    )


def _axis(
    choice: DesignChoice, cards: Sequence[Card], labels: dict[str, str], cost: CostOf
) -> tuple[Axis, dict[str, float]]:
    """Return the axis, and the position of each card on it."""
    if choice is not RATIO:
        order = list(dict.fromkeys(labels[card.name] for card in cards))
        ticks = {float(place): label for place, label in enumerate(order)}
        return Axis(choice.title, ticks), {card.name: float(order.index(labels[card.name])) for card in cards}
    if cost != "r":
        costs = {card.name: (card.params if cost == "parameters" else card.macs) / 1e6 for card in cards}
        return Axis(_COSTS[cost], {}), costs
    ratios = sorted({card.network.r for card in cards if card.network.gated and card.network.r})
    marks: dict[float, str] = {float(r): str(r) for r in ratios}
    if any(not card.network.gated for card in cards):
        marks[_without_se(ratios)] = NO_SE
    places = {
        card.name: float(card.network.r) if card.network.gated and card.network.r else _without_se(ratios)
        for card in cards
    }
    return Axis(_R, marks, log=True), places


def _without_se(ratios: Sequence[int]) -> float:
    """Return the position of no SE: SE adds parameters in proportion to 1/r, so it is beyond the largest r."""
    return 4.0 * max(ratios, default=1)
