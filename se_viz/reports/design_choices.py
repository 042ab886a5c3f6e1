"""The report on a design choice: whether it matters, by the intervals and the seeds of the demo models."""

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

QUESTION = "Does the reduction ratio matter?"

CostOf: TypeAlias = Literal["parameters", "MACs"]

_AXES: dict[CostOf, str] = {
    "parameters": "parameters, millions",
    "MACs": "multiply-accumulates for one image, millions",
}
_WHAT_IT_IS = {
    "r": "The bottleneck of a gate reduces C numbers to C/r: a larger r means fewer parameters.",
    "squeeze": "The squeeze reduces each feature map to one number: its average or its maximum.",
    "gate": "The gate function turns the last FC layer's output into weights s: a sigmoid is between 0 and 1, tanh "
    "between −1 and 1, ReLU has no upper end.",
    "gated_stages": "Gates of the last stage have the most channels, and so most of the gates' parameters. This choice "
    "shows whether they improve accuracy.",
    "integration": "The gate can scale the residual branch (standard), the block's input (pre), the sum (post) or the "
    "identity branch (identity).",
}


def family_cards() -> tuple[Card, ...]:
    """Return the shipped cards: ratios in order, then the variants of r = 16, no SE, and other seeds."""
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
    """Compose the report on one design choice.

    Sentences: whether accuracy depends on it; what it is; how the gates respond, if that was measured. Charts:
    ``family`` and ``table_N``, accuracy here and in the paper's Table N; ``spread_by_gate``, ``saturation_by_gate``,
    ``rank_by_gate``, ``cka_by_gate``. Table: ``demo_models``.

    Args:
        choice: one of ``DESIGN_CHOICES``.
        cards: the cards of the demo models (default: the shipped ones).
        cost: the horizontal axis for the accuracy of different ratios.
        found: the responses of the gates (default: the shipped ones).
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
    sentences = [conclusion(choice, cards), _WHAT_IT_IS[choice.field]]
    if found is None or response is None:
        what = (
            "The responses are not measured yet"
            if found is None
            else "The responses of these networks are not measured"
        )
        note = f"{what}: run `python -m se_viz responses --data DIR`."
    else:
        charts |= response.charts
        sentences.append(response.words)
        note = (
            f"Measured on {found.images:,} validation images of Imagenette; `python -m se_viz responses` prints the "
            f"numbers."
        )
    tables = Later({"demo_models": partial(family_table, cards)})
    return Report(_question(choice), lambda: tuple(sentences), Later(charts), tables, (note,))


def _question(choice: DesignChoice) -> str:
    if choice is RATIO:
        return QUESTION
    return f"{'Do' if choice.title.endswith('s') else 'Does'} the {choice.title} matter?"


def family_table(cards: Sequence[Card]) -> pd.DataFrame:
    """Return a row for each model: its size, and its accuracy on the validation images with Wilson's interval."""
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
    """Draw the accuracy measured here; ``across`` is the title of the cost axis, None if the choice has none."""
    all_seeds = variants_of(choice, cards, seed=None)
    points = {card.name: _point(choice, card, across) for card in all_seeds}
    return accuracy_against(
        "family",
        "Measured here: demo models on Imagenette",
        across or choice.title,
        [points[card.name] for card in all_seeds if not card.seed],
        [points[card.name] for card in all_seeds if card.seed],
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
    accuracy = card.accuracy
    return Point(choice_label(choice, card.network), cost, accuracy.top1 * 100, accuracy.low * 100, accuracy.high * 100)


@dataclass(frozen=True, slots=True)
class AccuracyDifference:
    """Accuracy of one network minus that of another, and its 95 % interval, as shares."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """True if the interval excludes zero."""
        return self.low > 0 or self.high < 0


def difference(a: Accuracy, b: Accuracy) -> AccuracyDifference:
    """Return a − b with Newcombe's interval, which combines the two Wilson intervals.

    It assumes that the two counts are independent. They are counts of the same images, so the true interval is
    narrower, and a difference that is clear by this interval is clear.
    """
    value = a.top1 - b.top1
    return AccuracyDifference(
        value,
        value - hypot(a.top1 - a.low, b.high - b.top1),
        value + hypot(a.high - a.top1, b.top1 - b.low),
    )


def conclusion(choice: DesignChoice, cards: Sequence[Card]) -> str:
    """Return a verdict in bold and a few sentences: whether top-1 depends on a choice, here and in the paper.

    They name the compared networks and the largest difference with its interval. The largest of several differences is
    larger than one chosen in advance would be, so "statistically significant" is said slightly too often, and never
    too rarely.

    Args:
        choice: the design choice.
        cards: the cards of the demo models; those that differ in another choice, and other seeds, are ignored.
    """
    compared = variants_of(choice, cards)
    gated = [card for card in compared if card.network.gated]
    if len(gated) < 2:
        return f"Two networks are needed to say whether accuracy depends on the {choice.title}."
    best, worst = _extremes(gated)
    names = {card.name: choice_label(choice, card.network) for card in compared}
    listed = ", ".join(names[card.name] for card in gated).replace(", r = ", ", ")
    gap = difference(best.accuracy, worst.accuracy)
    sentences = [
        "**Yes, there is a measurable effect here.**" if gap.clear else "**No measurable effect here.**",
        f"Among {listed} the largest difference in accuracy is "
        f"{_interval(gap, f'{names[best.name]} over {names[worst.name]}')}, which is "
        + ("" if gap.clear else "not ")
        + "statistically significant with this many validation images.",
    ]
    plain = next((card for card in compared if not card.network.gated), None)
    if plain is not None:
        gain = difference(best.accuracy, plain.accuracy)
        verdict = "significantly better" if gain.low > 0 else "significantly worse"
        verdict = verdict if gain.clear else "not statistically significant"
        sentences.append(f"The best of them compared with no SE: {_interval(gain)}, {verdict}.")
    sentences += [_noise(choice, cards), _paper(choice)]
    return " ".join(filter(None, sentences))


def _noise(choice: DesignChoice, cards: Sequence[Card]) -> str:
    """Return a sentence on the accuracies of other seeds (r = 16 and no SE have some), or "".

    If all seeds of one network are above all seeds of another, it says how likely that order is by chance.
    """
    all_seeds = variants_of(choice, cards, seed=None)
    clauses, seeds = [], {}
    for first in variants_of(choice, cards):
        same = [card.accuracy.top1 for card in all_seeds if card.network == first.network]
        if len(same) > 1:
            name = choice_label(choice, first.network)
            seeds[name] = same
            clauses.append(f"{len(same)} seeds of {name} are between {min(same):.1%} and {max(same):.1%}")
    for (higher, top), (lower, bottom) in permutations(seeds.items(), 2):
        if min(top) > max(bottom):
            orders = comb(len(top) + len(bottom), len(top))
            clauses.append(f"all seeds of {higher} are above all seeds of {lower} (1 in {orders} by chance)")
    return f"{'; '.join(clauses)}." if clauses else ""


def _paper(choice: DesignChoice) -> str:
    rows = [row for row in choice.rows if row.name != NO_SE]
    best, worst = min(rows, key=lambda row: row.top1), max(rows, key=lambda row: row.top1)
    return (
        f"In the paper's Table {choice.table} (ImageNet) {best.name} leads {worst.name} by "
        f"{worst.top1 - best.top1:.1f} points."
    )


def _extremes(cards: Sequence[Card]) -> tuple[Card, Card]:
    """Return the two cards that differ most, the better one first."""
    pairs = (sorted(pair, key=lambda card: -card.accuracy.top1) for pair in combinations(cards, 2))
    best, worst = max(pairs, key=lambda pair: pair[0].accuracy.top1 - pair[1].accuracy.top1)
    return best, worst


def _interval(gap: AccuracyDifference, of: str = "") -> str:
    interval = f"95 % interval {_points(gap.low)} to {_points(gap.high)}"
    return f"{_points(gap.value)} points ({f'{of}; ' if of else ''}{interval})"


def _points(share: float) -> str:
    return f"{share * 100:+.1f}".replace("-", "−")
