"""Presentation mode, for a projector: large text, no sidebar, and no controls of export. It is part of the URL."""

from se_viz.ui.state import selection
from se_viz.ui.state.selection import PRESENT

_GROWN = 1.5  # of a page's text


def is_on() -> bool:
    """Return whether the page is presented."""
    return selection.chosen(PRESENT) == "1"


def switch(*, on: bool) -> None:
    """Begin or end the presentation; for callbacks."""
    if on:
        selection.choose(**{PRESENT: "1"})
    else:
        selection.forget(PRESENT)


def wide(pixels: int) -> int:
    """Return the width of a field in pixels, which grows with its text."""
    return round(_GROWN * pixels) if is_on() else pixels
