"""The report on an ablation: what replacing s does over a dataset."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from se_viz.demo.paired_comparison import points
from se_viz.figures.ablation_changes import accuracy_changes
from se_viz.interventions.ablation import Ablation
from se_viz.interventions.ablation_effects import AblationRow
from se_viz.interventions.suggest import suggest
from se_viz.reports.report import Later, Report
from se_viz.wording import counted, listed

QUESTION = "What do the gates do over a dataset?"

_EDITS: dict[float | str, str] = {
    1.0: "s := 1 in one gate",
    "shuffled": "Shuffling s of one gate between the images, the control,",
    "mean": "The mean of s in one gate",
}

_STAGE_EDITS: dict[float | str, str] = {1.0: "s := 1", "mean": "s := mean", "shuffled": "s shuffled"}


def ablation_report(ablation: Ablation, loss: float = 0.01) -> Report:
    """Compose the report on an ablation.

    Sentences, in parts: ``effects``, the edit of one gate that costs most, beside s shuffled and its mean; what each
    edit costs in each whole stage, and what that says of the weights; the edit that changes the entropy most. Last,
    ``may go``, the gates that can be constants. Charts: ``accuracy_by_gate``, ``accuracy_by_stage``. Table:
    ``ablation``. File: ``ablation.json``.

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
        how_measured=_how_measured(ablation),
    )


def _how_measured(ablation: Ablation) -> str:
    accuracy, right = ablation.as_it_is.accuracy, "top-1" if ablation.labels == "given" else "agreement"
    return (
        f"Over {counted(ablation.images, 'image')}, {right} without an edit has the 95% interval {accuracy.low:.1%} to "
        f"{accuracy.high:.1%} (Wilson). Changes are over the same images, with Newcombe's interval for pairs and "
        "McNemar's exact p. In the table, lost images were right and are wrong, gained images the reverse; logit is "
        "the mean change of the target's logit, and entropy is that of the answer, in nats."
    )


def _sentences(ablation: Ablation, loss: float) -> dict[str, tuple[str, ...]]:
    gates = ablation.by("gate")
    said = (
        f"Over {counted(ablation.images, 'image')} of {ablation.source.name} the network "
        f"{'is right for' if ablation.labels == 'given' else 'agrees with itself in'} "
        f"{ablation.as_it_is.accuracy.top1:.1%}."
    )
    for value, words in _EDITS.items():
        if rows := [row for row in gates if row.value == value]:
            said += f" {words} {_cost(min(rows, key=lambda row: row.change.value))}."
    sentences = [said, *_by_stage(ablation.by("stage"))]
    sure = [row for row in gates if row.entropy is not None and row.entropy_change is not None]
    if sure:
        row = max(sure, key=lambda row: abs(row.entropy_change.value) if row.entropy_change else 0)
        sentences.append(
            f"**{row.name}** changes most how sure the network is: the mean entropy of its answers goes from "
            f"{ablation.as_it_is.entropy:.2f} to {row.entropy:.2f} nats, and accuracy by "
            f"{points(row.change.value)} points."
        )
    return {"effects": tuple(sentences), "may go": (may_go(ablation, loss).sentence,) if gates else ()}


def _by_stage(rows: Sequence[AblationRow]) -> tuple[str, ...]:
    """Return what each edit of a whole stage changes, with intervals, and where 1 costs more than the mean of s."""
    found = {value: {row.where: row for row in rows if row.value == value} for value in _STAGE_EDITS}
    sentences = []
    for value, stages in found.items():
        if stages:
            said = "; ".join(f"{where} {_with_interval(row)}" for where, row in stages.items())
            sentences.append(
                f"**{_STAGE_EDITS[value]}** in all gates of a stage, accuracy in points (95% interval): {said}."
            )
    means, ones = found["mean"], found[1.0]
    apart = [where for where, row in ones.items() if where in means and row.change.high < means[where].change.low]
    if apart:
        sentences.append(
            f"In {listed(apart)}, s := 1 costs more than the mean of s, which is the same for all images: there the "
            "network relies on the level of each channel's weight, more than on its changes from image to image."
        )
    return tuple(sentences)


def _with_interval(row: AblationRow) -> str:
    change = row.change
    return f"{points(change.value)} ({points(change.low)} to {points(change.high)})"


def _cost(row: AblationRow) -> str:
    change = row.change
    interval = f"95% interval {points(change.low)} to {points(change.high)}"
    return f"costs most in **{row.where}**: {points(change.value)} points ({interval})"


class MayGo(NamedTuple):
    """The gates that can be constants, in words.

    Attributes:
        start: what they have in common, or why no gate can be one.
        gates: a clause for each gate.
    """

    start: str
    gates: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """All of it as one sentence."""
        return f"{self.start} {'; '.join(self.gates)}." if self.gates else self.start


def may_go(ablation: Ablation, loss: float) -> MayGo:
    """Return the gates that can be constants with a loss of accuracy below ``loss``, a share; the best come first."""
    try:
        found = suggest(ablation, loss)
    except ValueError as error:
        return MayGo(str(error))
    limit = f"{100 * loss:g} {'point' if loss == 0.01 else 'points'}"
    if not found:
        return MayGo(f"No gate can be replaced by a constant with a loss below {limit} over its whole 95% interval.")
    return MayGo(
        f"Each of these gates alone can be a constant, with a loss below {limit} over its whole 95% interval (in "
        "brackets):",
        tuple(one.brief for one in found),
    )
