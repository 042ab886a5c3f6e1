"""The report on an ablation: what replacing s does over a dataset."""

from functools import partial

from se_viz.figures.ablation_changes import accuracy_changes
from se_viz.interventions.ablation import Ablation, AblationRow
from se_viz.interventions.suggest import suggest
from se_viz.reports.report import Later, Report

QUESTION = "What do the gates do over a dataset?"

_EDITS: dict[float | str, str] = {
    1.0: "s := 1 in one gate",
    "shuffled": "Shuffling s of one gate between the images, the baseline,",
    "mean": "The mean of s in one gate",
}


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
            accuracy_changes,
            "accuracy_by_gate",
            "Change of accuracy, s of one gate replaced",
            "gate, in the order of execution",
            gates,
        )
    if stages:
        charts["accuracy_by_stage"] = partial(
            accuracy_changes, "accuracy_by_stage", "Change of accuracy, s of a whole stage replaced", "gates", stages
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
    for value, words in _EDITS.items():
        if rows := [row for row in gates if row.value == value]:
            said += f" {words} {_cost(min(rows, key=lambda row: row.change.value))}."
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
    return f"costs most in **{row.where}**: {100 * change.value:+.1f} points ({interval})"


def _may_go(ablation: Ablation, loss: float) -> str:
    try:
        found = suggest(ablation, loss)
    except ValueError as error:
        return str(error)
    limit = f"{100 * loss:g} {'point' if loss == 0.01 else 'points'}"
    if not found:
        return f"No gate can be replaced by a constant with a loss that is surely below {limit}."
    listed = "; ".join(map(str, found))
    return f"Each of these gates alone can be a constant, with a loss that is surely below {limit}: {listed}."
