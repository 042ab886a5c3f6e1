"""One step of the walk-through, and words that the steps share."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from se_viz.analysis.walk import Walk
from se_viz.reports.walk_numbers import number

StepKey: TypeAlias = Literal["image", "filter", "norm", "squeeze", "bottleneck", "excite", "scale", "add"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the walk-through.

    Attributes:
        key: the part of the drawing that the step lights up.
        title: a short title with the symbols of the step.
        sentence: what happens, in one or two plain sentences.
        arithmetic: lines of arithmetic with the numbers of this image.
    """

    key: StepKey
    title: str
    sentence: str
    arithmetic: tuple[str, ...]


def strength(s: float) -> str:
    """Return in words what a weight does to a map: "43% weaker", "unchanged", "negated and 8% weaker"."""
    if not math.isfinite(s):
        return "not finite"
    size = abs(s)
    negated = "negated and " if s < 0 else ""
    if s == 0:
        return "0 everywhere"
    if round(size * 100) == 100:
        return "negated" if s < 0 else "practically unchanged"
    if size > 1:
        return f"{negated}{round((size - 1) * 100)}% stronger"
    share = round((1 - size) * 100)
    return f"{negated}{share if share < 100 else 'more than 99'}% weaker"


def u_shape(walk: Walk) -> tuple[int, ...]:
    """Return the shape of U, (C, H, W)."""
    return (walk.gate.channels, *walk.u.shape)


def bracketed(value: float) -> str:
    """Return a number, in brackets if it is negative."""
    text = number(value)
    return f"({text})" if value < 0 else text


def called(function: str) -> str:
    """Return the name of a function; f for one without a name."""
    return "f" if function == "other" else function
