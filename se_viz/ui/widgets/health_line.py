"""The health of a gate in one line: the verdict, what the verdicts mean, and the numbers behind it."""

import streamlit as st

from se_viz.analysis.health import CLOSE, Health
from se_viz.analysis.verdicts import definitions
from se_viz.wording import signed

_SUM = "Those of a softmax are multiplied by the number of channels first."


def show(health: Health) -> None:
    """Draw the verdict on a gate, and the numbers that it follows from."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(health.sentence)
        with st.popover("What the verdicts mean", icon=":material/rule:", type="tertiary"):
            st.markdown(definitions())

    def share(value: float) -> str:
        return f"{value:.0%}" if health.finite == 1 else "–"

    with st.container(horizontal=True):
        of = "" if health.images == 1 else f", {health.images} images"
        st.metric(f"mean of s{of}", _number(health.mean, 2))
        st.metric(
            "SD over channels",
            _number(health.spread),
            help="Standard deviation (SD) of s over the channels of an image, averaged over the images.",
        )
        st.metric("near 0 (suppressed)", share(health.near_0), help=f"Share of weights s within {CLOSE} of 0. {_SUM}")
        st.metric("near 1 (passed)", share(health.near_1), help=f"Share of weights s within {CLOSE} of 1. {_SUM}")
        st.metric("exactly 0 or 1", share(health.clipped), help="Share of weights s that hard-sigmoid or ReLU clipped.")
        st.metric(
            "SD over images",
            _number(health.variation),
            help="SD of s over the images for each channel, averaged over the channels. It needs two images.",
        )


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else signed(value, f".{digits}f")
