"""The page How it works: the story of one channel of the image in focus, from the image to what the block passes on."""

import streamlit as st

from se_viz.analysis.walk import Walk, follow_channel, most_changed
from se_viz.data.images import InputImage
from se_viz.model.model import Model
from se_viz.reports.walk import QUESTION, walk_answer
from se_viz.ui.markdown import emphasised
from se_viz.ui.state import captures, walks
from se_viz.ui.widgets import how_sections, image_focus, walk_export, walk_player
from se_viz.ui.widgets.choice import choose
from se_viz.ui.widgets.image_picker import Chosen
from se_viz.ui.widgets.page_header import PageHeader

__all__ = ["QUESTION", "page"]


def page(header: PageHeader) -> None:
    """Draw the page."""
    model, chosen = header.model, header.chosen
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        image = chosen.images[image_focus.choose(chosen.images)]
        with st.container(width=140):
            # The first gate has the largest maps.
            gate = choose("Gate", [gate.name for gate in model.gates], "gate")
        gate_capture = captures.maps(model, image, gate)[gate]
        channel_place = st.container(width=140)
    with channel_place:
        channel = _channel(most_changed(gate_capture), gate_capture.gate.channels)
    walk = follow_channel(model, walks.values(model, image, gate_capture), gate_capture, channel)
    header.answer.markdown(emphasised(walk_answer(walk, image.name)))
    _player(model, image, walk, chosen)
    how_sections.show(model, walk)


@st.fragment
def _player(model: Model, image: InputImage, walk: Walk, chosen: Chosen) -> None:
    """Draw the walk-through; another pixel runs this part only."""
    pixel = walk_player.show(model, image, walk)
    walk_export.show(model, chosen, walk, image.name, pixel)


def _channel(first: int, count: int) -> int:
    """Draw the choice of a channel, and return its number; at first it is the one that the gate changes most."""
    asked = st.query_params.get("channel", "")
    known = asked.isascii() and asked.isdigit() and int(asked) < count
    if asked and not known:
        st.warning(
            f"The link asks for channel {asked[:20]}, and there are channels 0 to {count - 1}: {first} is shown."
        )
    key = "channel"
    if not 0 <= st.session_state.get(key, -1) < count:
        st.session_state[key] = int(asked) if known else first
    number: int = st.number_input(
        "Channel",
        0,
        count - 1,
        key=key,
        step=1,
        on_change=lambda: st.query_params.update({key: str(st.session_state[key])}),
        help=f"0 to {count - 1}; at first the channel that the gate changes most.",
    )
    return number
