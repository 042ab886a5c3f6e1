"""The header of every page: its question, and the model, the images and the selection, which all pages share."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from se_viz.model.model import Model
from se_viz.ui.widgets import image_picker, model_picker, notes
from se_viz.ui.widgets.image_picker import Chosen
from se_viz.ui.widgets.selection_bar import SelectionBar


@dataclass(frozen=True)
class PageHeader:
    """The input of a page: the model, the images, the places of the question and of the answer, and the selection bar.

    A page whose choices change what is asked draws its question again.
    """

    model: Model
    chosen: Chosen
    question: DeltaGenerator
    answer: DeltaGenerator
    bar: SelectionBar

    def image(self) -> int:
        """Draw the choice of the image in focus in the bar, and return its index."""
        return self.bar.choose_image(self.chosen.images)

    def gate(self, first: int = -1) -> str:
        """Draw the choice of the gate in the bar, and return its name; ``first`` is the index of the gate at first."""
        names = [gate.name for gate in self.model.gates]
        return self.bar.choose_gate(names, names[first])

    def channel(self, gate: str, first: int | None = None) -> int | None:
        """Draw the choice of a channel of a gate in the bar, and return its number; ``first`` until one is chosen."""
        return self.bar.choose_channel(self.model.gate(gate).channels, first)


def draw(question: str, *, about_images: bool = True) -> PageHeader:
    """Draw the header, and return the input of the page.

    It is drawn outside the pages, because Streamlit forgets the widgets of a page that is left.

    Args:
        question: the question that the page answers.
        about_images: whether the page needs at least one image.
    """
    left, right = st.columns([5, 3], gap="large")
    asked = left.empty()
    asked.title(question, anchor=False)
    # In the page, because the sidebar is long, and closed on a phone.
    problem = st.container()
    bar = SelectionBar.draw()
    with st.sidebar:
        model = model_picker.choose(problem, bar)
        samples = st.container()
        uploaded = image_picker.folder()
    with right:
        uploaded = [*image_picker.drop(), *uploaded]
    intake = image_picker.decoded(uploaded)
    with right:
        image_picker.choose_split(uploaded, intake)
    with samples:
        keys = image_picker.sample_keys(problem, has_uploads=bool(intake.images))
    chosen = image_picker.gather(uploaded, intake, keys)
    if model is None:
        st.info(
            "No model is loaded. Choose one by name in the bar below the title, or in the sidebar the architecture and "
            "the file of your weights. If there is a message above, it says what to do."
        )
        st.stop()
    notes.warn(model.notes, "gates")
    if about_images and not chosen.images:
        st.info("Drop images into the box above, or choose sample images in the sidebar.")
        st.stop()
    return PageHeader(model, chosen, asked, left.empty(), bar)
