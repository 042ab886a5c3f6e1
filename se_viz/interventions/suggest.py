"""Suggestions of gates to remove: their weights can be constant at an accepted loss of accuracy."""

from dataclasses import dataclass

from se_viz.demo.paired_comparison import Change, points
from se_viz.interventions.ablation import Ablation
from se_viz.interventions.ablation_effects import AblationRow


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A gate whose s can be a constant.

    Attributes:
        gate: name of the gate.
        value: the constant: a number, or "mean".
        change: change of accuracy, as a share, with its 95% interval, which lies above −loss.
        p: McNemar's exact p of the change.
    """

    gate: str
    value: float | str
    change: Change
    p: float

    @property
    def edit(self) -> dict[str, float | str]:
        """The edit, as ``capture`` and ``ablate`` take it."""
        return {self.gate: self.value}

    def __str__(self) -> str:
        return self._said("95% interval ")

    @property
    def brief(self) -> str:
        """The same where the sentence around it says what the numbers in brackets are."""
        return self._said("")

    def _said(self, interval: str) -> str:
        low, value, high = (points(share, digits=2) for share in (self.change.low, self.change.value, self.change.high))
        return f"{self.gate} := {_constant(self.value)}: {value} points ({interval}{low} to {high})"


def suggest(ablation: Ablation, loss: float = 0.01) -> tuple[Suggestion, ...]:
    """Return the gates that can be removed, each with the constant that costs least; those that cost least come first.

    A gate is listed when the whole 95% interval of its change of accuracy lies above −loss: so the loss is known to be
    acceptable, and not only estimated to be. Gates were set one at a time; what several of them cost together is
    another number, which ``ablate`` measures with ``edits={"together": {gate: value, …}}``. The best of several
    constants is chosen by the same images, so its change is a little better than it would be over others.

    Args:
        ablation: an ablation with edits of single gates, set to numbers or the mean.
        loss: the accuracy that may be lost, as a share: 0.01 is one point.

    Raises:
        ValueError: loss is not between 0 and 1, or no gate was set to a constant.
    """
    if not 0 <= loss <= 1:
        raise ValueError(f"loss is a share of the images, from 0 to 1, as 0.01 for one point, not {loss}.")
    rows = [row for row in ablation.by("gate") if isinstance(row.value, float) or row.value == "mean"]
    if not rows:
        raise ValueError("No gate of this ablation was set to a constant: make one with edits=[1.0, 'mean'].")
    best: dict[str, AblationRow] = {}
    for row in rows:
        there = best.get(row.where)
        if there is None or row.change.low > there.change.low:
            best[row.where] = row
    passed = sorted((row for row in best.values() if row.change.low >= -loss), key=lambda row: -row.change.low)
    return tuple(Suggestion(row.where, row.value, row.change, row.p) for row in passed)


def _constant(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else value
