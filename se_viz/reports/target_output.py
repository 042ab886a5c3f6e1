"""The meaning of a network's outputs for an intervention: which output is asked about, and what the network says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from se_viz.types import Float32s, Floats
from se_viz.weights.head import Fitted
from se_viz.wording import signed


@dataclass(frozen=True, slots=True)
class Outcome:
    """Meaning of K outputs, one of which is asked about.

    Attributes:
        fitted: meaning of the outputs.
        target: index of the output.
        names: name of each output (K); for a binary head, that of yes.
    """

    fitted: Fitted
    target: int
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the output that is asked about."""
        return self.names[self.target]

    @property
    def has_probabilities(self) -> bool:
        """True if the outputs are logits, false if they are numbers."""
        return self.fitted.head.kind != "number"

    @property
    def unit(self) -> str:
        """Unit of the outputs: "logit" or "output"."""
        return "logit" if self.has_probabilities else "output"

    def target_probability(self, outputs: Floats) -> Floats:
        """Return the probability of the output that is asked about (N,), 0–1, from outputs (N, K)."""
        found: Floats = self._probabilities(outputs)[:, -len(self.names) :][:, self.target]
        return found

    def says(self, outputs: Floats) -> list[str]:
        """Return what the network says for each row of outputs (N, K): a class, a label or labels, or numbers."""
        if not self.has_probabilities:
            return [
                ", ".join(f"{name} {signed(value, '.4g')}" for name, value in zip(self.names, row, strict=True))
                for row in outputs
            ]
        head, names = self.fitted.head, self.fitted.head.groups(self.fitted.names)
        if head.kind == "labels":
            return [
                ", ".join(name for name, one in zip(self.names, row, strict=True) if one >= head.threshold) or names[-1]
                for row in self._probabilities(outputs)
            ]
        return ["no prediction" if group is None else names[group] for group in head.group(_single(outputs))]

    @property
    def shown_names(self) -> tuple[str, ...]:
        """Names of what ``shown`` returns: both classes of a binary head, otherwise the outputs."""
        return self.fitted.names

    @property
    def place(self) -> int:
        """Index in ``shown_names`` of the output that is asked about."""
        return len(self.shown_names) - len(self.names) + self.target

    @property
    def shown_unit(self) -> str:
        """Unit of what ``shown`` returns."""
        return "probability, %" if self.has_probabilities else "output"

    def shown(self, outputs: Floats) -> Floats:
        """Return the probabilities or numbers to show for one row of outputs (K,)."""
        found: Floats = self._probabilities(outputs[None])[0] if self.has_probabilities else outputs
        return found

    def _probabilities(self, outputs: Floats) -> Floats:
        found: Floats = self.fitted.head.probabilities(_single(outputs))
        return found


def _single(outputs: Floats) -> Float32s:
    """Return outputs in the precision in which predictions are read, so that a threshold decides alike."""
    return np.asarray(outputs, np.float32)


def outcome_of(fitted: Fitted, outputs: Floats, target: str | int | None = None) -> Outcome:
    """Return the outcome for one image.

    Args:
        fitted: meaning of the outputs.
        outputs: of the image (K,).
        target: name or index of an output; without it, the one with the largest value.

    Raises:
        KeyError: there is no such output; the message names what there is.
    """
    names = distinct(fitted.names[-len(outputs) :])
    if target is None:
        found = int(np.argmax(np.where(np.isnan(outputs), -np.inf, outputs)))
    elif isinstance(target, int) and 0 <= target < len(names):
        found = target
    elif target in names:
        found = names.index(str(target))
    elif str(target).isascii() and str(target).isdigit() and int(target) < len(names):
        found = int(target)
    else:
        near = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
        raise KeyError(f"There is no output {target!r}: choose one of {near}, or its number, 0 to {len(names) - 1}.")
    return Outcome(fitted, found, names)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Return names, with the index after each that occurs more than once: ImageNet has two kinds of crane."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return tuple(f"{name} ({index})" if counts[name] > 1 else name for index, name in enumerate(names))
