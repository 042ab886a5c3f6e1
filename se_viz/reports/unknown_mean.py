"""The sentence for a mean of s that is unknown, in a shell and on a page."""

from typing import Literal

from se_viz.interventions.baseline import NoMean


def unknown_mean(error: NoMean, reader: Literal["shell", "page"], otherwise: str = "") -> str:
    """Return why the mean of s is unknown, and what to do about it where the reader is.

    Args:
        error: the error, whose own message is for Python.
        reader: where the sentence is read; a page names the page that makes class profiles, a shell the command.
        otherwise: what can be done instead in a shell, as ", or give --baseline 1".
    """
    if not error.remedy:
        return error.why
    made = "them" if error.remedy == "make" else "class profiles of this network"
    if reader == "page":
        return f"{error.why} Open the page Classes and make {made} there."
    return f"{error.why} Make {made} with `se-viz profile` and add --profiles FILE{otherwise}."
