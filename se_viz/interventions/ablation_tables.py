"""Tables of an ablation: a row for each edit, or for each edit and class."""

from collections.abc import Sequence

import pandas as pd

from se_viz.interventions.ablation_effects import AblationRow, AsItIs


def edits_table(plain: AsItIs, edited: Sequence[AblationRow]) -> pd.DataFrame:
    """Return a row for the unedited network, then one for each edit: shares, logits and nats, with intervals."""
    first = {
        "edit": "as it is",
        "accuracy": plain.accuracy.top1,
        "accuracy low": plain.accuracy.low,
        "accuracy high": plain.accuracy.high,
        "entropy": plain.entropy,
    }
    return pd.DataFrame([first, *map(_cells, edited)])


def classes_table(
    edited: Sequence[AblationRow], classes: Sequence[str], counts: Sequence[int], right: Sequence[int]
) -> pd.DataFrame:
    """Return a row for each edit and class: images, those that are right before and after, change of the logit.

    Args:
        edited: the edits.
        classes: names of the K classes.
        counts: number of images of each class (K,).
        right: number of them that are right without edits (K,).
    """
    return pd.DataFrame(
        [
            {
                "edit": row.name,
                "class": name,
                "images": images,
                "right before": before,
                "right": effect.correct,
                "lost": effect.lost,
                "gained": effect.gained,
                "logit": effect.logit,
            }
            for row in edited
            for name, images, before, effect in zip(classes, counts, right, row.by_class, strict=True)
        ]
    )


def _cells(row: AblationRow) -> dict[str, object]:
    cells: dict[str, object] = {
        "edit": row.name,
        "where": row.where,
        "scope": row.scope,
        "value": str(row.value),
        "accuracy": row.accuracy.top1,
        "accuracy low": row.accuracy.low,
        "accuracy high": row.accuracy.high,
        "lost": row.lost,
        "gained": row.gained,
        "p": row.p,
        "answers changed": row.answers_changed,
        "not finite": row.not_finite,
        "entropy": row.entropy,
    }
    for name, change in (
        ("change", row.change),
        ("logit", row.logit),
        ("log-likelihood", row.log_likelihood),
        ("entropy change", row.entropy_change),
    ):
        if change is not None:
            cells |= {name: change.value, f"{name} low": change.low, f"{name} high": change.high}
    return cells
