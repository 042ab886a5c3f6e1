"""The page How it works: the story of one channel of the image in focus, from the image to what the block passes on."""

import streamlit as st

from se_viz.analysis.walk import Walk, follow_channel, most_changed
from se_viz.data.images import InputImage
from se_viz.figures.provenance import Provenance
from se_viz.model.model import Model
from se_viz.reports.walk import QUESTION, walk_answer
from se_viz.ui.markdown import emphasised
from se_viz.ui.state import captures, presentation, walks
from se_viz.ui.widgets import chart, how_sections, walk_export, walk_player
from se_viz.ui.widgets.image_picker import Chosen
from se_viz.ui.widgets.page_header import PageHeader

__all__ = ["QUESTION", "page"]

# The walk-through fills the screen, and the sections follow.
_PRESENTED = """<style>
.stMainBlockContainer:has(.st-key-walk) > [data-testid="stVerticalBlock"] > :not(:has(.st-key-walk, .st-key-sections)) {
  display: none}
</style>"""


def page(header: PageHeader) -> None:
    """Draw the page."""
    model, chosen = header.model, header.chosen
    image = chosen.images[header.image()]
    chart.say_provenance(Provenance(model.name, image.name))
    gate = header.gate(first=0)  # it has the largest maps
    gate_capture = captures.maps(model, image, gate)[gate]
    first = most_changed(gate_capture)
    channel = header.channel(gate, first)
    channel = first if channel is None else channel  # an emptied field
    walk = follow_channel(model, walks.values(model, image, gate_capture), gate_capture, channel)
    header.answer.markdown(emphasised(walk_answer(walk, image.name)))
    if presentation.is_on():
        st.html(_PRESENTED)
    _player(model, image, walk, chosen)
    with st.container(key="sections"):
        how_sections.show(model, walk)


@st.fragment
def _player(model: Model, image: InputImage, walk: Walk, chosen: Chosen) -> None:
    """Draw the walk-through; another pixel runs this part only."""
    pixel = walk_player.show(model, image, walk)
    if not presentation.is_on():
        walk_export.show(model, chosen, walk, image.name, pixel)
