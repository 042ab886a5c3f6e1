"""Does a choice in the gate matter to accuracy? What the intervals and the seeds of the demo family allow to say."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from math import comb, hypot

from se_viz.demo.card import Accuracy, Card
from se_viz.demo.design_choices import NO_SE, Ablation, members, variant


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


def conclusion(ablation: Ablation, cards: Sequence[Card]) -> str:
    """A verdict in bold and a few sentences: whether top-1 depends on a choice, here and in the paper.

    They name what was compared and the largest difference with its interval. The largest of several differences is
    larger than a chosen one would be, so "more than chance" is said a little too often, never too seldom.

    Args:
        ablation: the choice.
        cards: of the family; those that differ in something else, and other seeds, are left aside.
    """
    found = members(ablation, cards)
    gated = [card for card in found if card.network.gated]
    if len(gated) < 2:
        return f"It takes two networks to say whether accuracy depends on the {ablation.title}."
    best, worst = _extremes(gated)
    names = {card.name: variant(ablation, card.network) for card in found}
    listed = ", ".join(names[card.name] for card in gated).replace(", r = ", ", ")
    gap = difference(best.accuracy, worst.accuracy)
    said = [
        "**Yes, here it does.**" if gap.clear else "**Not that it shows here.**",
        f"Over {listed} the largest difference in accuracy is "
        f"{_interval(gap, f'{names[best.name]} over {names[worst.name]}')}: "
        + ("more than" if gap.clear else "no more than")
        + " chance in the choice of validation images allows.",
    ]
    plain = next((card for card in found if not card.network.gated), None)
    if plain is not None:
        gain = difference(best.accuracy, plain.accuracy)
        verdict = "chance allows as much" if not gain.clear else "clearly better" if gain.low > 0 else "clearly worse"
        said.append(f"The best of them against no SE at all: {_interval(gain)}, {verdict}.")
    said += [_noise(ablation, cards), _paper(ablation)]
    return " ".join(filter(None, said))


def _noise(ablation: Ablation, cards: Sequence[Card]) -> str:
    """What other seeds say of the same networks, with r = 16 and without SE; nothing where there is one seed.

    Where all seeds of one network are above all of another, it says how often a random order of them has that.
    """
    everyone = members(ablation, cards, seed=None)
    said, seeds = [], {}
    for first in members(ablation, cards):
        same = [card.accuracy.top1 for card in everyone if card.network == first.network]
        if len(same) > 1:
            name = variant(ablation, first.network)
            seeds[name] = same
            said.append(f"{len(same)} seeds of {name} lie between {min(same):.1%} and {max(same):.1%}")
    for (one, ours), (other, theirs) in permutations(seeds.items(), 2):
        if min(ours) > max(theirs):
            orders = comb(len(ours) + len(theirs), len(ours))
            said.append(f"all of {one} are above all of {other}, as one of {orders} random orders has it")
    return f"{'; '.join(said)}." if said else ""


def _paper(ablation: Ablation) -> str:
    rows = [row for row in ablation.rows if row.name != NO_SE]
    best, worst = min(rows, key=lambda row: row.top1), max(rows, key=lambda row: row.top1)
    return (
        f"In the paper's Table {ablation.table} (ImageNet) {best.name} leads {worst.name} by "
        f"{worst.top1 - best.top1:.1f} points."
    )


def _extremes(cards: Sequence[Card]) -> tuple[Card, Card]:
    """The pair that differs most, the better one first."""
    pairs = (sorted(pair, key=lambda card: -card.accuracy.top1) for pair in combinations(cards, 2))
    best, worst = max(pairs, key=lambda pair: pair[0].accuracy.top1 - pair[1].accuracy.top1)
    return best, worst


def _interval(gap: Difference, of: str = "") -> str:
    interval = f"95 % interval {_points(gap.low)} to {_points(gap.high)}"
    return f"{_points(gap.value)} points ({f'{of}; ' if of else ''}{interval})"


def _points(share: float) -> str:
    return f"{share * 100:+.1f}".replace("-", "−")
