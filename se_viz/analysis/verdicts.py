"""The verdicts on a gate: what each is called, what it means and where its limits lie."""

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
"""Weights that differ by less are the same to the eye, and to the maps they scale."""
FEW = 0.1
"""Share of the channels, and of the images, that may be exceptions to a verdict that says "mostly"."""
JUMP = 0.25
"""A single weight so far off makes its channel an exception, in however many images it stays in place."""

NO_EFFECT = "Whether that matters for the prediction is measured by intervention, not here."

VERDICTS: dict[Verdict, str] = {
    "not finite": "Some weights are NaN or infinite.",
    "one image cannot tell": "There is one image only, and so no change of s between images to judge by.",
    "dead": f"Every channel stays within {CLOSE} of 0.",
    "saturated": (
        f"Every channel stays within {CLOSE} of 1, of 0 or of another end of the gate function's range (−1 of tanh, "
        "6 of ReLU6), but not all of 0."
    ),
    "constant": f"Every channel stays within {STILL} of its own median over the images.",
    "mostly constant": "As constant, with exceptions.",
    "uniform": f"Every channel stays within {STILL} of the median over the channels, which changes with the image.",
    "mostly saturated": "As saturated or dead, with exceptions.",
    "mostly uniform": "As uniform, with exceptions.",
    "image-dependent": (
        f"None of these: s differs between channels and between images. {NO_EFFECT.replace('that', 'it', 1)}"
    ),
}
"""From the first that applies to the last."""

HOW = (
    f'The first that applies is the verdict. A channel "stays within" a distance if its root mean square over the '
    f"images is below that, and every single weight within {JUMP}; the distances of constant and uniform are shares of "
    f"s where s is above 1. Exceptions are at most {FEW:.0%} of the channels, and at most {FEW:.0%} of the images: "
    f"those in which more than {FEW:.0%} of the channels are off by more than twice the distance. Weights of a softmax "
    "are multiplied by the number of channels first."
)


def definitions() -> str:
    """Return the verdicts as a table in Markdown, and how their limits are applied."""
    rows = "\n".join(f"| {verdict} | {meaning} |" for verdict, meaning in VERDICTS.items())
    return f"| verdict | s of a gate, over the images at hand |\n|---|---|\n{rows}\n\n{HOW}"


def verdict_counts(verdicts: Mapping[str, Verdict]) -> str:
    """Return a sentence on how many gates, by name, have which verdict, in the order of ``VERDICTS``."""
    named = {verdict: [name for name, found in verdicts.items() if found == verdict] for verdict in VERDICTS}
    if len(verdicts) > 1 and len(named["one image cannot tell"]) == len(verdicts):
        return "One image cannot tell whether s depends on the image in any gate: add a second image."
    parts = [f"{verdict}: {_listed(names)}" for verdict, names in named.items() if names]
    return f"Verdicts on {len(verdicts)} gates: {'; '.join(parts)}."


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


_NAMED = 8
