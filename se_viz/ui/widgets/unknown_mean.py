"""The sentence of a page for a mean of s that is unknown."""

from se_viz.interventions.baseline import NoMean


def sentence(error: NoMean) -> str:
    """Return why the mean of s is unknown, and where the pages make class profiles."""
    if not error.remedy:
        return error.why
    made = "them" if error.remedy == "make" else "class profiles of this network"
    return f"{error.why} Open the page Classes and make {made} there."
