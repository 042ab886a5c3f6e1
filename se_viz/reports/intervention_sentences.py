"""Sentences on interventions, computed from their numbers."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import scipy

from se_viz.analysis.percent import percent
from se_viz.interventions.attribution import Attribution
from se_viz.interventions.gate_effects import GateEdit, GateEffects, strongest
from se_viz.reports.target_output import Outcome
from se_viz.types import Floats
from se_viz.wording import counted, signed

WORDS = (
    "Three words have different meanings here: the **weight** s is what the gate multiplies a channel by. The "
    "**effect** of "
    "an edit is how the output changes when s is replaced and the network runs again. An **attribution** divides "
    "such a change among the channels, by a method and from a baseline. A large weight is not a large effect."
)

UNIFORM_IMAGE = "an image of the mean colour"  # where layer-conductance starts


def gates_sentence(outcome: Outcome, effects: GateEffects, words: Mapping[str, str]) -> str:
    """Return sentences on the gate with the largest effect, and on the gates that change the prediction.

    The effect is the change of the output that is asked about, as in the chart; the prediction is what the network
    says. Edits whose outputs are NaN or infinite are named and not compared.
    """
    if not (np.isfinite(effects.before).all()):
        return "The network returned NaN or infinite numbers for this image, so no effect can be measured."
    compared = [
        (gate, edit, change)
        for gate, edit, change in strongest(effects, outcome.target)
        if np.isfinite(_after(effects, gate, edit)).all()
    ]
    if not compared:
        return "Every edit makes the network return NaN or infinite numbers, so no effect can be measured."
    gate, edit, change = compared[0]
    flips = _flips(outcome, effects, compared)
    if change == 0 and not flips:
        said = f"No single gate has an effect on {outcome.name}: no edit changes its {outcome.unit}."
    else:
        becomes = next((says for one, by, says in flips if (one, by) == (gate, edit)), "")
        said = (
            f"**{_edited(gate, edit, words)}** has the largest effect: it "
            f"{moved(outcome, effects.before, _after(effects, gate, edit), with_logit=True)}"
            f"{f', and the network says {becomes}' if becomes else ''}."
        )
        if outcome.has_probabilities:
            said += f" {_prediction(outcome, effects, flips, (gate, edit), words)}"
    return said + _not_finite(effects, compared, words)


_Flip: TypeAlias = tuple[str, GateEdit, str]


def _flips(
    outcome: Outcome, effects: GateEffects, compared: Sequence[tuple[str, GateEdit, float]]
) -> tuple[_Flip, ...]:
    """Return gate, edit and what the network says, of the edits with which it says something else than before."""
    if not outcome.has_probabilities:
        return ()
    before = outcome.says(effects.before[None])[0]
    said = [(gate, edit, outcome.says(_after(effects, gate, edit)[None])[0]) for gate, edit, _ in compared]
    return tuple(one for one in said if one[2] != before)


def _prediction(
    outcome: Outcome,
    effects: GateEffects,
    flips: Sequence[_Flip],
    largest: tuple[str, GateEdit],
    words: Mapping[str, str],
) -> str:
    """Return a sentence on how many gates change the prediction, with one that is not named yet."""
    said, count = outcome.says(effects.before[None])[0], len(effects.gates)
    about = "this prediction" if said == outcome.name else f"this prediction ({said})"
    gates = {gate for gate, _, _ in flips}
    if not gates:
        return f"{'The one gate does not change' if count == 1 else 'No single gate changes'} {about}."
    named = any((gate, edit) == largest for gate, edit, _ in flips)
    if named and len(gates) == 1:
        return "" if count == 1 else f"It is the only one of the {count} gates that can change {about} alone."
    other, edit, becomes = next(one for one in flips if not named or one[0] != largest[0])
    if len(gates) == count:
        many = "The one gate" if count == 1 else f"Each of the {count} gates"
    else:
        many = "One gate" if len(gates) == 1 else f"{len(gates)} of the {count} gates"
    return f"{many} can change {about} alone: with **{_edited(other, edit, words)}** the network says {becomes}."


def _not_finite(effects: GateEffects, compared: Sequence[tuple[str, GateEdit, float]], words: Mapping[str, str]) -> str:
    """Return a sentence on the edits that are not compared."""
    left_out = [
        _edited(gate, edit, words)
        for gate in effects.gates
        for edit in effects.edits
        if not any((gate, edit) == (one, by) for one, by, _ in compared)
    ]
    if not left_out:
        return ""
    rest = len(left_out) - 1
    more = f" and {counted(rest, 'other edit')}" if rest else ""
    return f" With {left_out[0]}{more} the network returns NaN or infinite numbers, which are not compared."


def _after(effects: GateEffects, gate: str, edit: GateEdit) -> Floats:
    """Return the outputs with an edit (K,)."""
    row: Floats = effects.after[gate][effects.edits.index(edit)]
    return row


def _edited(gate: str, edit: GateEdit, words: Mapping[str, str]) -> str:
    """Return an edit of a gate in words, "SE_2_2 := 1"."""
    return f"{gate} := {words[edit].removeprefix('s := ')}"


def moved(outcome: Outcome, before: Floats, after: Floats, *, with_logit: bool = False) -> str:
    """Return how the output that is asked about changes, "lowers tench from 55% to 12%", with its logit if asked."""
    one, other = float(before[outcome.target]), float(after[outcome.target])
    if outcome.has_probabilities:
        start, end = outcome.target_probability(np.stack([before, after]))
        logit = f" (change of the logit: {signed(other - one, '+.2g')})" if with_logit else ""
        if percent(start) == percent(end):
            return f"leaves {outcome.name} at {percent(start)}{logit}"
        verb = "lowers" if end < start else "raises"
        return f"{verb} {outcome.name} from {percent(start)} to {percent(end)}{logit}"
    return f"{'lowers' if other < one else 'raises'} {outcome.name} from {signed(one, '.4g')} to {signed(other, '.4g')}"


def channels_sentence(outcome: Outcome, attribution: Attribution, focus: int, baseline: str) -> str:
    """Return sentences on the channels with the largest attribution, on its sum, and on s as a measure of it."""
    values, s = attribution.values[focus], attribution.s[focus]
    if not np.isfinite(values).all():
        return f"The attributions of {attribution.gate} are NaN or infinite."
    best = int(attribution.strongest(1, focus)[0])
    most = (
        f"Channel {best} of {attribution.gate} has the largest attribution to {outcome.name}: "
        f"{signed(values[best], '+.2g')}"
    )
    if attribution.method == "layer-conductance":
        whole = (
            f"All {len(values)} add up to {signed(values.sum(), '+.3g')}: the part that goes through s of this "
            f"gate when {UNIFORM_IMAGE} becomes this image, by which the {outcome.unit} changes by "
            f"{signed(attribution.change[focus], '+.3g')}"
        )
        return f"{most} ({outcome.unit}, s = {signed(s[best], '.2f')}). {whole}. {_rank(values, s)}"
    error = attribution.completeness_error[focus]
    whole = (
        f"All {len(values)} add up to {signed(values.sum(), '+.3g')}; replacing {baseline} by s in the whole gate "
        f"changes the {outcome.unit} by {signed(attribution.change[focus], '+.3g')} (completeness error "
        f"{signed(error, '+.1g')})"
    )
    if attribution.method == "exact":
        whole += ", and effects of single channels need not add up"
    return f"{most} ({outcome.unit}, s = {signed(s[best], '.2f')}). {whole}. {_rank(values, s)}"


def _rank(values: Floats, s: Floats) -> str:
    """Return a sentence on the rank correlation of s with the attribution."""
    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(s) == 0:
        return "A rank correlation of s with the attribution is not defined here."
    correlation = round(float(scipy.stats.spearmanr(s, np.abs(values)).statistic), 2) + 0.0  # never -0.00
    return f"The rank correlation of s with the size of the attribution is {signed(correlation, '.2f')}: " + (
        "here channels with a large weight tend to be important."
        if correlation >= 0.7
        else "here the weight of a channel does not say how important it is."
    )


def edit_sentence(outcome: Outcome, before: Floats, after: Floats, words: str, attributed: float | None) -> str:
    """Return a sentence on what edits do to the prediction."""
    if not np.isfinite(after).all():
        return f"With {words} the network returns NaN or infinite numbers."
    start, end = outcome.says(np.stack([before, after]))
    effect = float(after[outcome.target] - before[outcome.target])
    said = f"**{words}** {moved(outcome, before, after)}"
    if outcome.has_probabilities:
        said += f"; the network says {end}, {'as before' if start == end else f'and before it said {start}'}"
    said += f". The effect on {outcome.name} is {signed(effect, '+.3g')} ({outcome.unit})"
    if attributed is not None:
        said += f", and the attributions of these channels predict {signed(-attributed, '+.3g')}"
    return f"{said}.{_against_the_logit(outcome, before, after)}"


def _against_the_logit(outcome: Outcome, before: Floats, after: Floats) -> str:
    """Return a sentence where the probability moves against the logit, because other logits move further."""
    if not outcome.has_probabilities:
        return ""
    start, end = outcome.target_probability(np.stack([before, after]))
    effect = after[outcome.target] - before[outcome.target]
    if effect * (end - start) >= 0 or percent(start) == percent(end):
        return ""
    falls, further = ("falls", "fall further") if effect < 0 else ("rises", "rise further")
    return (
        f" The logit of {outcome.name} {falls}, but its probability {'rises' if effect < 0 else 'falls'}: other logits "
        f"{further}."
    )
