"""Does accuracy depend on the reduction ratio? What the intervals of the demo family allow to say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import hypot

from se_viz.zoo.card import Accuracy, Card
from se_viz.zoo.seresnet import SEResNetConfig


@dataclass(frozen=True, slots=True)
class Difference:
    """Accuracy of one network minus that of another, and its 95 % interval, as shares."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def difference(a: Accuracy, b: Accuracy) -> Difference:
    """A − b with Newcombe's interval, made of the two Wilson intervals.

    It takes the two counts for independent. They are of the same images, so the true interval is narrower, and what is
    called clear here is clear.
    """
    value = a.top1 - b.top1
    return Difference(
        value,
        value - hypot(a.top1 - a.low, b.high - b.top1),
        value + hypot(a.high - a.top1, b.top1 - b.low),
    )


def robustness(cards: Sequence[Card]) -> str:
    """One or two sentences on whether top-1 depends on r, from the standard networks of the first seed among the cards.

    They name the ratios, the largest difference with its interval, and what SE brings where there is a network without.
    The largest of several differences is larger than a chosen one would be, so "more than chance" is said a little too
    often, never too seldom.
    """
    ratios = by_ratio(cards)
    if len(ratios) < 2:
        return "It takes networks of two ratios to say whether accuracy depends on r."
    best, worst = max(
        ((a, b) if a.accuracy.top1 >= b.accuracy.top1 else (b, a) for a, b in combinations(ratios, 2)),
        key=lambda pair: pair[0].accuracy.top1 - pair[1].accuracy.top1,
    )
    found = difference(best.accuracy, worst.accuracy)
    listed = ", ".join(str(card.network.r) for card in ratios)
    said = (
        f"Over r = {listed} the largest difference is {_points(found.value)} (r = {best.network.r} over "
        f"r = {worst.network.r}; 95 % interval {_points(found.low)} to {_points(found.high)}): "
    )
    if found.clear:
        said += "more than chance in the choice of validation images, so accuracy does depend on r here."
    else:
        said += "no more than chance in the choice of validation images allows."
    plain = next((card for card in cards if not card.network.gated and not card.seed), None)
    if plain is not None:
        gain = difference(best.accuracy, plain.accuracy)
        verb = "is clearly better than" if gain.low > 0 else "cannot be told from"
        if gain.high < 0:
            verb = "is clearly worse than"
        said += (
            f" The best of them {verb} the network without SE ({_points(gain.value)}, interval {_points(gain.low)} to "
            f"{_points(gain.high)})."
        )
    return said


def by_ratio(cards: Sequence[Card]) -> tuple[Card, ...]:
    """The cards of networks that differ from the standard one in r at most, first seed, by r."""
    return tuple(sorted((card for card in cards if _differs_in_r(card)), key=lambda card: card.network.r or 0))


def _differs_in_r(card: Card) -> bool:
    return card.network.gated and replace(card.network, r=SEResNetConfig().r) == SEResNetConfig() and not card.seed


def _points(share: float) -> str:
    return f"{share * 100:+.1f} points".replace("-", "−")
