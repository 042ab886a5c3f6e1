"""One sentence on the chosen channel of a gate, with the link to its walk-through."""

import numpy as np
import streamlit as st

from se_viz.figures.not_finite import number
from se_viz.gates.capture import GateCapture
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state.selection import Selection
from se_viz.ui.widgets.page_links import link


def show(gate_capture: GateCapture, selection: Selection, image: str) -> None:
    """Draw z and s of the chosen channel for the image in focus, and its place among the channels of the gate."""
    channel = selection.channel
    if channel is None:
        st.caption("Click a cell or a point to follow one channel, or give its number.")
        return
    s = gate_capture.s[selection.image]
    z = "" if gate_capture.z is None else f"z = {number(gate_capture.z[selection.image, channel], '.3f')}, "
    place = ""
    if np.isfinite(s).all():
        place = f", rank {int((s > s[channel]).sum()) + 1:,} of {len(s):,} by s"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**Channel {channel}** of {selection.gate} for {escape_markdown(image)}: "
            f"{escape_markdown(z)}s = {escape_markdown(number(s[channel], '.3f'))}{place}.",
            width="content",
        )
        link("how-it-works", f"Channel {channel}, step by step", gate=selection.gate, channel=str(channel))
