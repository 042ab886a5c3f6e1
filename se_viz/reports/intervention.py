"""The report on interventions: what a gate, and what a channel, does to a prediction."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import pandas as pd

from se_viz.figures.before_and_after import before_and_after
from se_viz.figures.channel_attribution import channel_attribution
from se_viz.figures.chart import Chart
from se_viz.figures.faithfulness_curves import faithfulness_curves
from se_viz.figures.gate_effects import gate_changes, gate_probabilities
from se_viz.gates.capture import GateCapture
from se_viz.interventions.attribution import Attribution
from se_viz.interventions.faithfulness import Faithfulness
from se_viz.interventions.gate_effects import GateEffects
from se_viz.reports import intervention_tables as tables_of
from se_viz.reports.intervention_sentences import (
    UNIFORM_IMAGE,
    WORDS,
    channels_sentence,
    edit_sentence,
    gates_sentence,
)
from se_viz.reports.report import Later, Report
from se_viz.reports.target_output import Outcome
from se_viz.types import Floats

QUESTION = "Which gate, which channel matters for this prediction?"

MOST_CHANNELS = 20
_BARS = 6  # outputs before and after

_Charts: TypeAlias = dict[str, Callable[[], Chart]]
_Tables: TypeAlias = dict[str, Callable[[], pd.DataFrame]]


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """Attribution to the channels of one gate.

    Attributes:
        attribution: the attribution for N images.
        names: names of the images.
        focus: index of the image that the sentence and the chart are about.
        gate_capture: the values of the gate for this image alone; with its maps, they are drawn.
        mean: mean of s (C,), if it is known.
        baseline: the baseline of s in words; with layer-conductance only the curves have it.
        faithfulness: returns the curves, if they are to be drawn.
    """

    attribution: Attribution
    names: tuple[str, ...]
    focus: int
    gate_capture: GateCapture
    mean: Floats | None
    baseline: str
    faithfulness: Callable[[], Faithfulness] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """Outputs for one image with edits of s.

    Attributes:
        words: the edits in words, "s := 0 in 5 channels of SE_5_2".
        after: outputs with the edits (K,).
        attributed: sum of the attributions of the edited channels, if the edit sets them to the baseline.
    """

    words: str
    after: Floats
    attributed: float | None = None


def intervention_report(
    outcome: Outcome,
    effects: GateEffects,
    image: str,
    *,
    other_name: str = "",
    gate: str | None = None,
    channels: Channels | None = None,
    edited: Edited | None = None,
    notes: tuple[str, ...] = (),
) -> Report:
    """Compose the report on interventions for one image.

    Sentences: the gate with the largest effect and those that change the prediction; what "weight", "attribution" and
    "effect" mean; with ``channels``, which channels have the largest attribution; with ``edited``, what the edits do.
    Charts: ``gate_changes``, ``gate_probabilities`` (if outputs have probabilities); with ``channels``
    ``attribution_GATE`` and ``faithfulness_GATE``; with ``edited`` ``before_and_after``. Tables: ``gate_effects``,
    ``channels_GATE``, ``faithfulness_GATE``, ``outputs``. File: ``intervention.json`` with the numbers of all of them.

    Args:
        outcome: meaning of the outputs, and the output that is asked about.
        effects: outputs with s of one gate at a time replaced.
        image: name of the image.
        other_name: name of the image whose s is used.
        gate: the gate to mark in the charts (default: the last).
        channels: attribution to the channels of a gate.
        edited: outputs with edits.
        notes: sentences on what is missing.
    """
    chosen, target, unit = gate or effects.gates[-1], outcome.name, outcome.unit
    words = edit_words(effects, other_name)
    changes = dict(zip(effects.edits, effects.change(outcome.target).T, strict=True))
    charts: _Charts = {"gate_changes": partial(gate_changes, effects.gates, changes, words, target, unit, chosen)}
    tables: _Tables = {"gate_effects": partial(tables_of.gate_effects_table, effects, outcome, words)}
    if outcome.has_probabilities:
        likely = np.stack([outcome.target_probability(rows) for rows in effects.after.values()]).T
        charts["gate_probabilities"] = partial(
            gate_probabilities,
            effects.gates,
            dict(zip(effects.edits, likely, strict=True)),
            float(outcome.target_probability(effects.before[None])[0]),
            words,
            target,
            chosen,
        )
    if channels is not None:
        channel_charts, channel_tables = _of_channels(channels, outcome)
        charts |= channel_charts
        tables |= channel_tables
    if edited is not None:
        charts["before_and_after"] = partial(_before_and_after, outcome, effects.before, edited.after)
        tables["outputs"] = partial(tables_of.outputs_table, outcome, effects.before, edited.after)
    made = Later(tables)
    return Report(
        QUESTION,
        partial(_sentences, outcome, effects, words, channels, edited),
        Later(charts),
        made,
        notes,
        Later({"intervention.json": lambda: _json(image, other_name, outcome, channels, edited, made)}),
    )


def _of_channels(channels: Channels, outcome: Outcome) -> tuple[_Charts, _Tables]:
    """Return the charts and tables of the attribution to the channels of one gate."""
    found, name, target = channels.attribution, channels.attribution.gate, outcome.name
    strongest = [int(channel) for channel in found.strongest(MOST_CHANNELS, channels.focus)]
    charts: _Charts = {
        f"attribution_{name}": partial(
            channel_attribution,
            channels.gate_capture,
            found.values[channels.focus],
            channels.mean,
            strongest,
            target,
            found.method,
        )
    }
    tables: _Tables = {
        f"channels_{name}": partial(tables_of.channels_table, found, channels.mean, channels.names, outcome.names)
    }
    if channels.faithfulness is not None:
        curves, unit, baseline = channels.faithfulness, outcome.unit, channels.baseline
        charts[f"faithfulness_{name}"] = lambda: faithfulness_curves(curves(), target, unit, baseline)
        tables[f"faithfulness_{name}"] = lambda: tables_of.curves_table(curves())
    return charts, tables


def edit_words(effects: GateEffects, other_name: str) -> dict[str, str]:
    """Return each edit of a gate in words."""
    said = {"1": "s := 1", "mean": "s := mean", "other image": f"s of {other_name or 'another image'}"}
    return {edit: said[edit] for edit in effects.edits}


def _sentences(
    outcome: Outcome,
    effects: GateEffects,
    words: Mapping[str, str],
    channels: Channels | None,
    edited: Edited | None,
) -> tuple[str, ...]:
    said = [gates_sentence(outcome, effects, words), WORDS]
    if channels is not None:
        said.append(channels_sentence(outcome, channels.attribution, channels.focus, channels.baseline))
    if edited is not None:
        said.append(edit_sentence(outcome, effects.before, edited.after, edited.words, edited.attributed))
    return tuple(said)


def _before_and_after(outcome: Outcome, before: Floats, after: Floats) -> Chart:
    one, other = outcome.shown(before), outcome.shown(after)
    ranked = [*np.argsort(-one, kind="stable")[:_BARS], *np.argsort(-other, kind="stable")[:_BARS]]
    best = sorted(set(ranked), key=lambda index: -max(one[index], other[index]))[:_BARS]
    target = outcome.place
    kept = best if target in best else [*best[: _BARS - 1], target]
    return before_and_after([outcome.shown_names[index] for index in kept], one[kept], other[kept], outcome.shown_unit)


def _json(
    image: str,
    other: str,
    outcome: Outcome,
    channels: Channels | None,
    edited: Edited | None,
    tables: Mapping[str, pd.DataFrame],
) -> bytes:
    content: dict[str, object] = {"image": image, "other_image": other or None, "target": outcome.name}
    if channels is not None:
        found = channels.attribution
        content |= {
            "gate": found.gate,
            "method": found.method,
            "baseline": UNIFORM_IMAGE if found.method == "layer-conductance" else channels.baseline,
            "change": _number(found.change[channels.focus]),
            "completeness_error": _number(found.completeness_error[channels.focus]),
        }
    if edited is not None:
        content["edit"] = edited.words
    for name, frame in tables.items():
        content[name] = json.loads(frame.to_json(orient="records", double_precision=10))
    return (json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _number(value: float) -> float | None:
    """Return a number for JSON, which has neither NaN nor infinity."""
    return float(value) if np.isfinite(value) else None
