"""Does a choice in the gate matter? What the intervals and the seeds of the demo family allow to say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, permutations
from math import comb, hypot
from typing import Literal, TypeAlias

import pandas as pd

from se_viz.analysis.demo_responses import Responses, shipped
from se_viz.demo import pretrained
from se_viz.demo.card import Accuracy, Card
from se_viz.demo.design_choices import NO_SE, RATIO, DesignChoice, choice_label, variants_of
from se_viz.figures.accuracy import Point, accuracy_against
from se_viz.figures.chart import Chart
from se_viz.reports.demo_responses import patterns
from se_viz.reports.report import Later, Report

QUESTION = "Do r and the other choices matter?"

CostOf: TypeAlias = Literal["parameters", "MACs"]

_AXES: dict[CostOf, str] = {
    "parameters": "parameters, millions",
    "MACs": "multiply-accumulates for one image, millions",
}
_WHAT_IT_IS = {
    "r": "A gate squeezes C numbers through C/r: the larger r, the fewer weights it takes.",
    "squeeze": "The squeeze makes one number of each feature map: its average or its maximum.",
    "gate": "The gate function turns the last FC layer's output into weights s: a sigmoid ends at 0 and 1, tanh at −1 "
    "and 1, ReLU has no upper end.",
    "gated_stages": "Gates of the last stage have the most channels, so most of the weights; do they earn them?",
    "integration": "The gate may weigh the residual branch (standard), the block's input (pre), the sum (post) or the "
    "identity branch (identity).",
}


def family_cards() -> tuple[Card, ...]:
    """The cards that ship: ratios first and in order, then the variants of r = 16, no SE, and other seeds."""
    return tuple(
        sorted(
            pretrained.cards(),
            key=lambda card: (card.seed, not card.network.gated, card.name.count("-"), card.network.r or 0, card.name),
        )
    )


def design_report(
    choice: DesignChoice,
    cards: Sequence[Card] | None = None,
    *,
    cost: CostOf = "parameters",
    found: Responses | None = None,
) -> Report:
    """Compose the report on one choice in the design of a gate.

    Sentences: whether accuracy depends on it; what it is; how the gates respond, where that was measured. Charts:
    ``family`` and ``table_N``, accuracy here and in the paper's Table N; ``spread_by_gate``, ``saturation_by_gate``,
    ``rank_by_gate``, ``cka_by_gate``. Table: ``demo_models``.

    Args:
        choice: one of ``DESIGN_CHOICES``.
        cards: of the family; those that ship if not given.
        cost: what the accuracy of different ratios is drawn against.
        found: how the gates respond; as it ships if not given.
    """
    cards = family_cards() if cards is None else cards
    if found is None and shipped().is_file():
        found = Responses.read(shipped())
    response = None if found is None else patterns(choice, cards, found)
    across = _AXES[cost] if choice is RATIO else None
    charts: dict[str, Callable[[], Chart]] = {
        "family": partial(_ours, choice, cards, across),
        f"table_{choice.table}": partial(_papers, choice, across),
    }
    said = [conclusion(choice, cards), _WHAT_IT_IS[choice.field]]
    if found is None or response is None:
        what = "Not measured yet" if found is None else "Not measured for these networks"
        note = f"{what}: run `python -m se_viz responses --data DIR`."
    else:
        charts |= response.charts
        said.append(response.words)
        note = (
            f"Over {found.images:,} validation images of Imagenette; `python -m se_viz responses` prints the numbers."
        )
    tables = Later({"demo_models": partial(family_table, cards)})
    return Report(QUESTION, lambda: tuple(said), Later(charts), tables, (note,))


def family_table(cards: Sequence[Card]) -> pd.DataFrame:
    """A row for each model: its size, and its accuracy on the validation images with Wilson's interval."""
    return pd.DataFrame(
        {
            "model": [card.name if card.seed else f"demo/{card.name}" for card in cards],
            "parameters": [card.params for card in cards],
            "MACs, millions": [card.macs / 1e6 for card in cards],
            "top-1, %": [card.accuracy.top1 * 100 for card in cards],
            "95 % interval": [f"{card.accuracy.low:.1%} – {card.accuracy.high:.1%}" for card in cards],
            "trained in, min": [card.seconds / 60 for card in cards],
        }
    )


def _ours(choice: DesignChoice, cards: Sequence[Card], across: str | None) -> Chart:
    """Accuracy as measured here; across is the title of the axis of cost, for the choice that changes it."""
    everyone = variants_of(choice, cards, seed=None)
    points = {card.name: _point(choice, card, across) for card in everyone}
    return accuracy_against(
        "family",
        "Measured here: demo models on Imagenette",
        across or choice.title,
        [points[card.name] for card in everyone if not card.seed],
        [points[card.name] for card in everyone if card.seed],
    )


def _papers(choice: DesignChoice, across: str | None) -> Chart:
    return accuracy_against(
        f"table_{choice.table}",
        f"The paper's Table {choice.table}: SE-ResNet-50 on ImageNet",
        _AXES["parameters"] if across else choice.title,
        [Point(row.name, row.params if across else None, 100 - row.top1) for row in choice.rows],
        ours=False,
    )


def _point(choice: DesignChoice, card: Card, across: str | None) -> Point:
    cost = {None: None, _AXES["parameters"]: card.params / 1e6, _AXES["MACs"]: card.macs / 1e6}[across]
    found = card.accuracy
    return Point(choice_label(choice, card.network), cost, found.top1 * 100, found.low * 100, found.high * 100)


@dataclass(frozen=True, slots=True)
class AccuracyDifference:
    """Accuracy of one network minus that of another, and its 95 % interval, as shares."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def difference(a: Accuracy, b: Accuracy) -> AccuracyDifference:
    """A − b with Newcombe's interval, made of the two Wilson intervals.

    It takes the two counts for independent. They are of the same images, so the true interval is narrower, and what is
    called clear here is clear.
    """
    value = a.top1 - b.top1
    return AccuracyDifference(
        value,
        value - hypot(a.top1 - a.low, b.high - b.top1),
        value + hypot(a.high - a.top1, b.top1 - b.low),
    )


def conclusion(ablation: DesignChoice, cards: Sequence[Card]) -> str:
    """A verdict in bold and a few sentences: whether top-1 depends on a choice, here and in the paper.

    They name what was compared and the largest difference with its interval. The largest of several differences is
    larger than a chosen one would be, so "more than chance" is said a little too often, never too seldom.

    Args:
        ablation: the choice.
        cards: of the family; those that differ in something else, and other seeds, are left aside.
    """
    found = variants_of(ablation, cards)
    gated = [card for card in found if card.network.gated]
    if len(gated) < 2:
        return f"It takes two networks to say whether accuracy depends on the {ablation.title}."
    best, worst = _extremes(gated)
    names = {card.name: choice_label(ablation, card.network) for card in found}
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


def _noise(ablation: DesignChoice, cards: Sequence[Card]) -> str:
    """What other seeds say of the same networks, with r = 16 and without SE; nothing where there is one seed.

    Where all seeds of one network are above all of another, it says how often a random order of them has that.
    """
    everyone = variants_of(ablation, cards, seed=None)
    said, seeds = [], {}
    for first in variants_of(ablation, cards):
        same = [card.accuracy.top1 for card in everyone if card.network == first.network]
        if len(same) > 1:
            name = choice_label(ablation, first.network)
            seeds[name] = same
            said.append(f"{len(same)} seeds of {name} lie between {min(same):.1%} and {max(same):.1%}")
    for (one, ours), (other, theirs) in permutations(seeds.items(), 2):
        if min(ours) > max(theirs):
            orders = comb(len(ours) + len(theirs), len(ours))
            said.append(f"all of {one} are above all of {other}, as one of {orders} random orders has it")
    return f"{'; '.join(said)}." if said else ""


def _paper(ablation: DesignChoice) -> str:
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


def _interval(gap: AccuracyDifference, of: str = "") -> str:
    interval = f"95 % interval {_points(gap.low)} to {_points(gap.high)}"
    return f"{_points(gap.value)} points ({f'{of}; ' if of else ''}{interval})"


def _points(share: float) -> str:
    return f"{share * 100:+.1f}".replace("-", "−")
