"""The header of every page: its question, and the model and the images, which all pages share."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from se_viz.model.model import Model
from se_viz.ui.widgets import image_picker, model_picker, notes
from se_viz.ui.widgets.image_picker import Chosen


@dataclass(frozen=True)
class PageHeader:
    """The input of a page: the model, the images, and the places of the question and of the answer below it.

    A page whose choices change what is asked draws its question again.
    """

    model: Model
    chosen: Chosen
    question: DeltaGenerator
    answer: DeltaGenerator


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
    with st.sidebar:
        model = model_picker.choose(problem)
        keys = image_picker.sample_keys(problem)
        uploaded = image_picker.folder()
    with right:
        uploaded = [*image_picker.drop(), *uploaded]
    chosen = image_picker.gather(uploaded, keys)
    if model is None:
        st.info("No model is loaded. Choose one in the sidebar, or follow the message above.")
        st.stop()
    notes.warn(model.notes, "gates")
    if about_images and not chosen.images:
        st.info("Drop images into the box above, or choose sample photographs in the sidebar.")
        st.stop()
    return PageHeader(model, chosen, asked, left.empty())
