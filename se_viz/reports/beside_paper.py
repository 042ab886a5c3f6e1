"""The demo models of a design choice beside the paper's table of it."""

from collections.abc import Sequence
from statistics import fmean

import pandas as pd

from se_viz.demo.card import Card
from se_viz.demo.design_choices import DesignChoice, choice_label, variants_of


def beside_paper(choice: DesignChoice, cards: Sequence[Card]) -> pd.DataFrame:
    """Return a row for each value of a choice, in the order of the paper's table; values that it lacks come last.

    Columns: the value; top-1 here (seed 0, per cent), seeds (their number), mean of all seeds, lowest and highest seed;
    top-1 and top-5 in the paper (per cent, ImageNet). Cells are empty where a network is not trained, or not in the
    paper.
    """
    by_value: dict[str, list[Card]] = {}
    for card in variants_of(choice, cards, seed=None):
        by_value.setdefault(choice_label(choice, card.network), []).append(card)
    paper = {row.name: row for row in choice.rows}
    rows = []
    for value in dict.fromkeys([*paper, *by_value]):
        top1 = [100 * card.accuracy.top1 for card in by_value.get(value, [])]
        first = next((100 * card.accuracy.top1 for card in by_value.get(value, []) if not card.seed), None)
        row = paper.get(value)
        rows.append(
            {
                choice.title: value,
                "top-1 here, %": first,
                "seeds": len(top1),
                "mean of seeds, %": fmean(top1) if top1 else None,
                "lowest, %": min(top1, default=None),
                "highest, %": max(top1, default=None),
                "top-1 in the paper, %": None if row is None else 100 - row.top1,
                "top-5 in the paper, %": None if row is None else 100 - row.top5,
            }
        )
    return pd.DataFrame(rows)
