"""The report on an ablation: what replacing s does over a dataset."""

from functools import partial

from se_viz.figures.ablation_changes import accuracy_changes
from se_viz.interventions.ablation import Ablation, AblationRow
from se_viz.interventions.suggest import suggest
from se_viz.reports.report import Later, Report

QUESTION = "What do the gates do over a dataset?"


def ablation_report(ablation: Ablation, loss: float = 0.01) -> Report:
    """Compose the report on an ablation.

    Sentences: the edit of one gate that costs most, beside s shuffled and its mean; the edit that changes the entropy
    most; the gates that may go. Charts: ``accuracy_by_gate``, ``accuracy_by_stage``. Table: ``ablation``. File:
    ``ablation.json``.

    Args:
        ablation: the ablation.
        loss: the accuracy that may be lost, as a share.
    """
    gates, stages = ablation.by("gate"), (*ablation.by("stage"), *ablation.by("all"))
    charts = {}
    if gates:
        charts["accuracy_by_gate"] = partial(
            accuracy_changes, "accuracy_by_gate", "Accuracy without one gate", "gate, in the order of execution", gates
        )
    if stages:
        charts["accuracy_by_stage"] = partial(
            accuracy_changes, "accuracy_by_stage", "Accuracy without the gates of a stage", "gates", stages
        )
    return Report(
        QUESTION,
        partial(_sentences, ablation, loss),
        Later(charts),
        Later({"ablation": ablation.table}),
        tuple(ablation.notes),
        Later({"ablation.json": ablation.content}),
    )


def _sentences(ablation: Ablation, loss: float) -> tuple[str, ...]:
    gates = ablation.by("gate")
    said = (
        f"Over {ablation.images:,} images of {ablation.source.name} the network is right for "
        f"{ablation.as_it_is.accuracy.top1:.1%}."
    )
    if not gates:
        return (said,)
    ones = [row for row in gates if row.value == 1.0]
    if ones:
        said += f" Of single gates, {_cost(min(ones, key=lambda row: row.change.value))}."
    for value, words in (("shuffled", "s shuffled between the images"), ("mean", "the mean of s")):
        if rows := [row for row in gates if row.value == value]:
            worst = min(rows, key=lambda row: row.change.value)
            said += f" With {words}, {_cost(worst)}."
    sentences = [said]
    sure = [row for row in gates if row.entropy is not None and row.entropy_change is not None]
    if sure:
        row = max(sure, key=lambda row: abs(row.entropy_change.value) if row.entropy_change else 0)
        sentences.append(
            f"**{row.name}** changes most how sure the network is: the mean entropy of its answers goes from "
            f"{ablation.as_it_is.entropy:.2f} to {row.entropy:.2f} nats, and accuracy by "
            f"{100 * row.change.value:+.1f} points."
        )
    return (*sentences, _may_go(ablation, loss))


def _cost(row: AblationRow) -> str:
    change = row.change
    interval = f"95 % interval {100 * change.low:+.1f} to {100 * change.high:+.1f}"
    return f"the largest loss is that of **{row.where}**: {100 * change.value:+.1f} points ({interval})"


def _may_go(ablation: Ablation, loss: float) -> str:
    try:
        found = suggest(ablation, loss)
    except ValueError as error:
        return str(error)
    limit = f"{100 * loss:g} {'point' if loss == 0.01 else 'points'}"
    if not found:
        return f"No gate can be replaced by a constant with a loss that is surely below {limit}."
    listed = "; ".join(str(one).replace("95 %", "95 %") for one in found)
    return f"Each of these gates alone can be a constant, with a loss that is surely below {limit}: {listed}."
