"""The report on a design choice: whether it matters, over images and over seeds, for the demo models."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from se_viz.analysis.demo_responses import Responses, known
from se_viz.analysis.family_tests import family_comparisons
from se_viz.demo import pretrained
from se_viz.demo.card import Card
from se_viz.demo.design_choices import RATIO, DesignChoice, comparable
from se_viz.demo.user_networks import UserNetworks, user_networks
from se_viz.figures.chart import Chart
from se_viz.reports.accuracy_charts import CostOf, measured_chart, paper_chart
from se_viz.reports.beside_paper import beside_paper
from se_viz.reports.demo_responses import patterns
from se_viz.reports.design_verdicts import conclusions, images_table, seeds_table
from se_viz.reports.report import Later, Report
from se_viz.reports.user_networks import user_comparisons, user_notes, user_sentences

__all__ = ["QUESTION", "CostOf", "conclusions", "design_report", "family_cards", "family_table"]

QUESTION = "Does the reduction ratio matter?"

_WHAT_IT_IS = {
    "r": "The bottleneck of a gate reduces C numbers to C/r: a larger r means fewer parameters.",
    "squeeze": "The squeeze reduces each feature map to one number: its average or its maximum.",
    "gate": "The gate function turns the last FC layer's output into weights s: a sigmoid is between 0 and 1, tanh "
    "between −1 and 1, ReLU has no upper end. With ReLU one of five seeds could be trained; the loss of the "
    "others became NaN.",
    "gated_stages": "Gates of the last stage have the most channels, and so most of the gates' parameters. This choice "
    "shows whether they improve accuracy.",
    "integration": "The gate can scale the residual branch (standard), the block's input (pre), the sum (post) or the "
    "identity branch (identity).",
}


def family_cards() -> tuple[Card, ...]:
    """Return the shipped cards: ratios in order, then the variants of r = 16, no SE, and other seeds."""
    return in_order(pretrained.cards())


def in_order(cards: Sequence[Card]) -> tuple[Card, ...]:
    """Return cards with ratios in order, then the variants of r = 16, no SE, and other seeds."""
    return tuple(
        sorted(
            cards,
            key=lambda card: (card.seed, not card.network.gated, card.name.count("-"), card.network.r or 0, card.name),
        )
    )


def design_report(
    choice: DesignChoice,
    cards: Sequence[Card] | None = None,
    *,
    cost: CostOf = "r",
    responses: Responses | None = None,
    yours: UserNetworks | None = None,
) -> Report:
    """Compose the report on one design choice.

    Sentences, in parts: ``verdicts`` on whether accuracy depends on it, and their ``limits``; ``what it is``; the
    ``responses`` of the gates, if they were measured; how ``yours``, networks of the user, compare with the standard
    one. Charts: ``family`` and ``table_N``, accuracy here and in the paper's Table
    N; ``spread_by_gate``, ``saturation_by_gate``, ``rank_by_gate``, ``cka_by_gate``. Tables: ``demo_models``,
    ``beside_paper``, ``comparisons_over_images``, ``comparisons_over_seeds``.

    Args:
        choice: one of ``DESIGN_CHOICES``.
        cards: the cards of the demo models (default: the shipped ones).
        cost: the horizontal axis for the accuracy of different ratios.
        responses: the responses of the gates (default: the shipped ones, and those of the user's networks).
        yours: networks of the user (default: those in the user's folder).
    """
    cards = family_cards() if cards is None else cards
    yours = user_networks() if yours is None else yours
    responses = known() if responses is None else responses
    both = comparable([*cards, *yours.cards])
    response = None if responses is None else patterns(choice, both, responses)
    charts: dict[str, Callable[[], Chart]] = {
        "family": partial(
            measured_chart, choice, comparable(cards), [card for card in both if card not in cards], cost
        ),
        f"table_{choice.table}": partial(paper_chart, choice, cost),
    }
    said = conclusions(choice, cards)
    parts = {
        "verdicts": said.verdicts,
        "limits": (said.limits,),
        "what it is": (_WHAT_IT_IS[choice.field],),
        "responses": (),
        "yours": tuple(user_sentences(yours.cards, cards)),
    }
    if responses is None or response is None:
        what = (
            "The responses are not measured yet"
            if responses is None
            else "The responses of these networks are not measured"
        )
        how_measured = f"{what}: run `python -m se_viz responses --data DIR`."
    else:
        charts |= response.charts
        parts["responses"] = (response.words,)
        how_measured = (
            f"Measured on {responses.images:,} validation images of Imagenette; `python -m se_viz responses` prints "
            "the numbers."
        )
    comparisons = [*family_comparisons(cards), *user_comparisons(yours.cards, cards)]
    tables: dict[str, Callable[[], pd.DataFrame]] = {
        "demo_models": partial(family_table, in_order([*cards, *yours.cards])),
        "beside_paper": partial(beside_paper, choice, both),
        "comparisons_over_images": partial(images_table, comparisons),
        "comparisons_over_seeds": partial(seeds_table, comparisons),
    }
    about = {"Model": f"demo models by {choice.title}", "Images": _images(both)}
    return Report(
        _question(choice),
        lambda: parts,
        Later(charts),
        Later(tables),
        (*yours.notes, *user_notes(yours.cards, both)),
        about=about,
        how_measured=how_measured,
    )


def _images(cards: Sequence[Card]) -> str:
    """Return the images on which the accuracy of the cards was measured."""
    counts = sorted({card.accuracy.of for card in cards})
    return f"Imagenette, val, {' or '.join(f'{count:,}' for count in counts)} images"


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
            "95% interval": [f"{card.accuracy.low:.1%} – {card.accuracy.high:.1%}" for card in cards],
            "trained in, min": [card.seconds / 60 for card in cards],
        }
    )
