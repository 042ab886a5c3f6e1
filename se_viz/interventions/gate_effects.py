"""Effects of whole gates: the outputs of a network for one image if s of one gate at a time is replaced."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from torch import Tensor

from se_viz.gates.capture import Capture
from se_viz.gates.errors import NotReadable
from se_viz.gates.gate import Gate
from se_viz.interventions.baseline import NoMean, mean_weights
from se_viz.interventions.capture import capture
from se_viz.model.model import Images, Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.types import Floats
from se_viz.weights.output_shape import table

GateEdit: TypeAlias = Literal["1", "mean", "other image"]


@dataclass(frozen=True, slots=True, eq=False)
class GateEffects:
    """Outputs of a network for one image, without edits and with s of one gate at a time replaced.

    Attributes:
        edits: what s is replaced by: 1, its mean over class profiles, s of another image.
        before: outputs without edits (K,).
        after: outputs with each edit, by gate in execution order (E, K).
    """

    edits: tuple[GateEdit, ...]
    before: Floats
    after: Mapping[str, Floats]

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the gates, in execution order."""
        return tuple(self.after)

    def change(self, target: int) -> Floats:
        """Return Δ of one output by gate and edit (G, E)."""
        changes: Floats = np.stack([rows[:, target] - self.before[target] for rows in self.after.values()])
        return changes


def gate_effects(
    model: Model, image: Images, other_image: Images | None = None, profiles: ClassProfiles | None = None
) -> GateEffects:
    """Replace s of each gate in turn, and return the outputs for one image.

    Args:
        model: the model.
        image: one image, as ``capture`` takes it.
        other_image: another image, whose s is an edit; without it there is no such edit.
        profiles: where the mean of s is taken from; the bundled ones of a demo model if not given. Without class
            profiles there is no such edit.

    Raises:
        NotReadable: the network returns no table of outputs (N, K).
        InputRefused, InstrumentError, DeviceFull: see ``capture``.
    """
    inputs = model.inputs(image)
    captured = capture(model, inputs)
    if captured.images != 1:
        raise ValueError(f"The effects of gates are measured for one image, not for {captured.images}.")
    means = gate_means(model, profiles)
    others = None if other_image is None else capture(model, other_image)
    after = {}
    for gate in model.gates:
        rows = gate_weights(gate, means, others)
        after[gate.name] = edited_outputs(model, inputs, gate.name, np.stack(list(rows.values())))
    return GateEffects(tuple(rows), outputs_of(captured)[0], after)


def gate_means(model: Model, profiles: ClassProfiles | None = None) -> dict[str, Floats] | None:
    """Return the mean of s of each gate (C,), or None where no class profiles say what it is; see ``why_no_mean``."""
    try:
        return {gate.name: mean_weights(model, gate.name, profiles) for gate in model.gates}
    except NoMean:
        return None


def why_no_mean(model: Model, profiles: ClassProfiles | None = None) -> NoMean | None:
    """Return why the mean of s of some gate is unknown, or None if it is known for each."""
    try:
        for gate in model.gates:
            mean_weights(model, gate.name, profiles)
    except NoMean as error:
        return error
    return None


def gate_weights(
    gate: Gate, means: Mapping[str, Floats] | None, other_capture: Capture | None
) -> dict[GateEdit, Floats]:
    """Return the weights that replace s of a gate (C,), by edit.

    Args:
        gate: the gate.
        means: mean of s of each gate, if it is known.
        other_capture: the capture of another image, of which the first one is taken, if there is one.
    """
    rows: dict[GateEdit, Floats] = {"1": np.ones(gate.channels)}
    if means is not None:
        rows["mean"] = means[gate.name]
    if other_capture is not None:
        rows["other image"] = other_capture[gate.name].s[0].astype(np.float64)
    return rows


def edited_outputs(model: Model, inputs: Tensor, gate: str, weights: Floats) -> Floats:
    """Return the outputs for one image, with rows of weights instead of one gate's s.

    Args:
        model: the model.
        inputs: one preprocessed image (1, 3, H, W).
        gate: name of the gate.
        weights: (R, C).

    Returns:
        (R, K).
    """
    rows = len(weights)
    return outputs_of(capture(model, inputs.expand(rows, -1, -1, -1), edits={gate: weights}, batch=rows))


def outputs_of(captured: Capture) -> Floats:
    """Return the outputs of a capture (N, K).

    Raises:
        NotReadable: the outputs are not a table (N, K).
    """
    found = table(captured.output, captured.images)
    if found is None:
        raise NotReadable("The network returns no table of outputs (N, K), so the effect on an output is not defined.")
    return found.astype(np.float64)


def strongest(effects: GateEffects, target: int) -> Iterator[tuple[str, GateEdit, float]]:
    """Yield gate, edit and Δ of one output, the largest by magnitude first."""
    change = effects.change(target)
    for place in np.argsort(-np.abs(change), axis=None, kind="stable"):
        row, column = divmod(int(place), len(effects.edits))
        yield effects.gates[row], effects.edits[column], float(change[row, column])
