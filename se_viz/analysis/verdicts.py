"""The verdicts on a gate: their names, definitions and limits."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal[
    "not finite",
    "one image cannot tell",
    "dead",
    "saturated",
    "constant",
    "mostly constant",
    "uniform",
    "mostly saturated",
    "mostly uniform",
    "image-dependent",
]

CLOSE = 0.1
"""A weight this close to 0 suppresses its channel, one this close to 1 passes it as it is."""
STILL = 0.025
"""Weights that differ by less look the same in a chart, and scale their maps alike."""
FEW = 0.1
"""Share of the channels, and of the images, that may be exceptions to a verdict with "mostly"."""
JUMP = 0.25
"""A single weight that deviates by this much makes its channel an exception, even if all others do not deviate."""

NO_EFFECT = "Whether that matters for the prediction is measured by intervention, not here."

VERDICTS: dict[Verdict, str] = {
    "not finite": "Some weights are NaN or infinite.",
    "one image cannot tell": "With only one image, no change of s between images can be measured.",
    "dead": f"Every channel stays within {CLOSE} of 0.",
    "saturated": (
        f"Every channel stays within {CLOSE} of 1, of 0 or of another end of the gate function's range (−1 for tanh, "
        f"6 for ReLU6), but not all within {CLOSE} of 0."
    ),
    "constant": f"Every channel stays within {STILL} of its median over the images.",
    "mostly constant": "Constant, with exceptions.",
    "uniform": f"Every channel stays within {STILL} of the median over the channels, which changes with the image.",
    "mostly saturated": "Saturated or dead, with exceptions.",
    "mostly uniform": "Uniform, with exceptions.",
    "image-dependent": (
        f"None of the above: s differs between channels and between images. {NO_EFFECT.replace('that', 'it', 1)}"
    ),
}
"""In order: the first definition that applies is the verdict."""

HOW = (
    'The verdict is the first definition that applies. A channel "stays within" a distance if its root mean square '
    f"deviation over the images is below that distance and every single weight is within {JUMP}. Where s is above 1, "
    f"the distances of constant and uniform are relative to s. Exceptions are at most {FEW:.0%} of the channels and at "
    f"most {FEW:.0%} of the images; an image is an exception if more than {FEW:.0%} of its channels deviate by more "
    "than twice the distance. Weights of a softmax are multiplied by the number of channels first."
)


def definitions() -> str:
    """Return the definitions of the verdicts as a table in Markdown, followed by how their limits are applied."""
    rows = "\n".join(f"| {verdict} | {meaning} |" for verdict, meaning in VERDICTS.items())
    return f"| verdict | s of a gate over the images |\n|---|---|\n{rows}\n\n{HOW}"


def verdict_counts(verdicts: Mapping[str, Verdict]) -> str:
    """Return a sentence that lists the gates of each verdict, in the order of ``VERDICTS``."""
    named = {
        verdict: [gate for gate, gate_verdict in verdicts.items() if gate_verdict == verdict] for verdict in VERDICTS
    }
    if len(verdicts) > 1 and len(named["one image cannot tell"]) == len(verdicts):
        return "One image cannot tell whether s depends on the image in any gate: add a second image."
    parts = [f"{verdict}: {_listed(names)}" for verdict, names in named.items() if names]
    return f"Verdicts on {len(verdicts)} gates: {'; '.join(parts)}."


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


_NAMED = 8
