"""Tables of interventions."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from se_viz.interventions.attribution import Attribution
from se_viz.interventions.faithfulness import Faithfulness
from se_viz.interventions.gate_effects import GateEffects
from se_viz.reports.target_output import Outcome
from se_viz.types import Floats


def gate_effects_table(effects: GateEffects, outcome: Outcome, words: Mapping[str, str]) -> pd.DataFrame:
    """Return a row for each gate and edit.

    Columns: gate, edit, output (its name), before, after, change (of the logit or number), probability_before and
    probability_after (empty for numbers), says (what the network says with the edit).
    """
    target, rows = outcome.target, []
    start = float(outcome.target_probability(effects.before[None])[0]) if outcome.has_probabilities else np.nan
    for gate, after in effects.after.items():
        likely = outcome.target_probability(after) if outcome.has_probabilities else np.full(len(after), np.nan)
        for edit, outputs, probability, says in zip(effects.edits, after, likely, outcome.says(after), strict=True):
            rows.append(
                {
                    "gate": gate,
                    "edit": words[edit],
                    "output": outcome.name,
                    "before": effects.before[target],
                    "after": outputs[target],
                    "change": outputs[target] - effects.before[target],
                    "probability_before": start,
                    "probability_after": probability,
                    "says": says,
                }
            )
    return pd.DataFrame(rows)


def channels_table(
    attribution: Attribution, mean: Floats | None, images: Sequence[str], outputs: Sequence[str]
) -> pd.DataFrame:
    """Return a row for each image and channel, the largest attribution of an image first.

    Columns: image, output (its name), channel, attribution, s, mean (of s; empty if it is unknown), baseline.

    Args:
        attribution: attributions of N images.
        mean: mean of s (C,), if it is known.
        images: names of the images.
        outputs: names of the K outputs.
    """
    parts = []
    for place, image in enumerate(images):
        order = attribution.strongest(attribution.values.shape[1], place)
        parts.append(
            pd.DataFrame(
                {
                    "image": image,
                    "output": outputs[int(attribution.targets[place])],
                    "channel": order.astype(np.int64),
                    "attribution": attribution.values[place][order],
                    "s": attribution.s[place][order],
                    "mean": np.nan if mean is None else mean[order],
                    "baseline": attribution.baseline[order],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def curves_table(measured: Faithfulness) -> pd.DataFrame:
    """Return a row for each order and number of channels: order, channels, deletion, insertion."""
    parts = [
        pd.DataFrame(
            {
                "order": order,
                "channels": measured.channels,
                "deletion": curves.deletion[0],
                "insertion": curves.insertion[0],
            }
        )
        for order, curves in measured.curves.items()
    ]
    return pd.concat(parts, ignore_index=True)


def outputs_table(outcome: Outcome, before: Floats, after: Floats) -> pd.DataFrame:
    """Return a row for each output: output, before, after, probability_before and probability_after."""
    frame = pd.DataFrame({"output": outcome.names, "before": before, "after": after})
    for column, values in (("probability_before", before), ("probability_after", after)):
        frame[column] = outcome.shown(values)[-len(outcome.names) :] if outcome.has_probabilities else np.nan
    return frame
