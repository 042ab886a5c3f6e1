"""The gates that give all channels of an image nearly the same weight."""

from collections.abc import Sequence

import numpy as np

from se_viz.gates.capture import Capture
from se_viz.wording import listed, signed

_APART = 0.02  # of the largest weight: the span of weights that are called nearly the same
_LISTED = 4


def uniform_weights(capture: Capture, focus: int) -> tuple[str, ...]:
    """Return a sentence on the gates whose s is nearly the same number in all channels of one image, if there are any.

    Args:
        capture: of N images.
        focus: index of the image.
    """
    found = []
    for one in capture.gates.values():
        s = one.s[focus]
        if len(s) > 1 and np.isfinite(s).all() and np.ptp(s) <= _APART * np.abs(s).max():
            low, high = signed(s.min(), ".2f"), signed(s.max(), ".2f")
            found.append(f"{one.gate.name} ({low if low == high else f'{low} to {high}'})")
    if not found:
        return ()
    these = (
        "This gate rescales all its channels alike and favours"
        if len(found) == 1
        else ("These gates rescale all their channels alike and favour")
    )
    return (f"For this image, s is nearly the same number in all channels of {_and(found)}. {these} none of them.",)


def _and(names: Sequence[str]) -> str:
    shown = [*names[:_LISTED], *[f"{len(names) - _LISTED} more"] * (len(names) > _LISTED)]
    return listed(shown)
