"""Sentences on interventions, computed from their numbers."""

from collections.abc import Mapping

import numpy as np
from scipy.stats import spearmanr

from se_viz.analysis.percent import percent
from se_viz.interventions.attribution import Attribution
from se_viz.interventions.gate_effects import GateEdit, GateEffects, strongest
from se_viz.reports.outcomes import Outcome
from se_viz.types import Floats

WORDS = (
    "Three words that are not the same: the **weight** s is what the gate multiplies a channel by. The **effect** of "
    "an edit is how the output changes when s is replaced and the network runs again. An **attribution** divides "
    "such a change among the channels, by a method and from a baseline. A large weight is not a large effect."
)

UNIFORM_IMAGE = "an image of the mean colour"  # where layer-conductance starts


def gates_sentence(outcome: Outcome, effects: GateEffects, words: Mapping[str, str]) -> str:
    """Return a sentence on whether replacing s of one gate changes the prediction, and on the largest effect."""
    if not (np.isfinite(effects.before).all()):
        return "The network returned NaN or infinite numbers for this image, so no effect can be measured."
    ranked = [found for found in strongest(effects, outcome.target) if np.isfinite(found[2])]
    if not ranked:
        return "Every edit makes the network return NaN or infinite numbers, so no effect can be measured."
    if not outcome.has_probabilities:
        gate, strong, _ = ranked[0]
        return f"The largest effect of a single gate: {_moves(outcome, effects, gate, strong, words)}."
    said = outcome.says(effects.before[None])[0]
    flips = [
        (gate, edit, becomes)
        for gate, edit, _ in strongest(effects, outcome.target)
        if (becomes := outcome.says(effects.after[gate][effects.edits.index(edit)][None])[0]) != said
    ]
    about = "" if said == outcome.name else f" ({said})"
    if not flips:
        gate, edit, _ = _most_visible(outcome, effects)
        only = "The one gate does not change" if len(effects.gates) == 1 else "No single gate changes"
        return f"{only} this prediction{about}; {_moves(outcome, effects, gate, edit, words)}."
    gates = list(dict.fromkeys(gate for gate, _, _ in flips))
    gate, edit, becomes = flips[0]
    count = (
        f"One gate of {len(effects.gates)} can change"
        if len(gates) == 1
        else f"{len(gates)} of the {len(effects.gates)} gates can change"
    )
    moves = _moves(outcome, effects, gate, edit, words)
    return f"{count} this prediction{about} alone: {moves}, and the network says {becomes}."


def _most_visible(outcome: Outcome, effects: GateEffects) -> tuple[str, GateEdit, float]:
    """Return gate, edit and change of the probability, where it changes most; if it rounds to 0, of the logit."""
    before = float(outcome.target_probability(effects.before[None])[0])
    moved = [
        (gate, edit, float(after) - before)
        for gate, rows in effects.after.items()
        for edit, after in zip(effects.edits, outcome.target_probability(rows), strict=True)
        if np.isfinite(after)
    ]
    largest = max(moved, key=lambda found: abs(found[2]))
    return largest if abs(largest[2]) >= 0.005 else next(strongest(effects, outcome.target))


def _moves(outcome: Outcome, effects: GateEffects, gate: str, edit: GateEdit, words: Mapping[str, str]) -> str:
    """Return what an edit does to the output, "**SE_2_2 := 1** lowers tench from 55% to 12%"."""
    after = effects.after[gate][effects.edits.index(edit)]
    edited = f"{gate} := {words[edit].removeprefix('s := ')}"
    return f"**{edited}** {moved(outcome, effects.before, after)}"


def moved(outcome: Outcome, before: Floats, after: Floats) -> str:
    """Return how the output that is asked about changes, "lowers tench from 55% to 12%"."""
    one, other = float(before[outcome.target]), float(after[outcome.target])
    if outcome.has_probabilities:
        start, end = outcome.target_probability(np.stack([before, after]))
        if percent(start) != percent(end):
            return f"{'lowers' if end < start else 'raises'} {outcome.name} from {percent(start)} to {percent(end)}"
        return f"leaves {outcome.name} at {percent(start)} (logit {other - one:+.2g})"
    return f"{'lowers' if other < one else 'raises'} {outcome.name} from {one:.4g} to {other:.4g}"


def channels_sentence(outcome: Outcome, found: Attribution, focus: int, baseline: str) -> str:
    """Return sentences on the channels with the largest attribution, on its sum, and on s as a measure of it."""
    values, s = found.values[focus], found.s[focus]
    if not np.isfinite(values).all():
        return f"The attributions of {found.gate} are NaN or infinite."
    best = int(found.strongest(1, focus)[0])
    most = f"Channel {best} of {found.gate} has the largest attribution to {outcome.name}: {values[best]:+.2g}"
    if found.method == "layer-conductance":
        whole = (
            f"All {len(values)} add up to {values.sum():+.3g}: the part that goes through s of this gate when "
            f"{UNIFORM_IMAGE} becomes this image, by which the {outcome.unit} changes by {found.change[focus]:+.3g}"
        )
        return f"{most} ({outcome.unit}, s = {s[best]:.2f}). {whole}. {_rank(values, s)}"
    error = found.completeness_error[focus]
    whole = (
        f"All {len(values)} add up to {values.sum():+.3g}; with s in the place of {baseline} in the whole gate the "
        f"{outcome.unit} changes by {found.change[focus]:+.3g} (completeness error {error:+.1g})"
    )
    if found.method == "exact":
        whole += ", and effects of single channels need not add up"
    return f"{most} ({outcome.unit}, s = {s[best]:.2f}). {whole}. {_rank(values, s)}"


def _rank(values: Floats, s: Floats) -> str:
    """Return a sentence on the rank correlation of s with the attribution."""
    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(s) == 0:
        return "A rank correlation of s with the attribution is not defined here."
    correlation = round(float(spearmanr(s, np.abs(values)).statistic), 2) + 0.0  # never -0.00
    return f"The rank correlation of s with the size of the attribution is {correlation:.2f}: " + (
        "here the weight goes with importance."
        if correlation >= 0.7
        else "the weight is not the importance of a channel."
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
    said += f". The effect on {outcome.name} is {effect:+.3g} ({outcome.unit})"
    if attributed is not None:
        said += f", and the attributions of these channels predict {-attributed:+.3g}"
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
