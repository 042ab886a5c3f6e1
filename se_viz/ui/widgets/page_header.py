"""The head of every page: its question, the model and the images, which stay chosen from page to page."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from se_viz.model.model import Model
from se_viz.ui.state import models
from se_viz.ui.widgets import image_picker, notes
from se_viz.ui.widgets.image_picker import Chosen


@dataclass(frozen=True)
class Head:
    """What a page starts from: the model, the images, and the place below the question for the answer."""

    model: Model
    chosen: Chosen
    answer: DeltaGenerator


def draw(question: str, *, about_images: bool = True) -> Head:
    """Draw the head. Called outside the pages, as Streamlit forgets what only one page asks for when it is left.

    Args:
        question: what the page answers.
        about_images: whether its answer is about images, so that there must be at least one.
    """
    left, right = st.columns([5, 3], gap="large")
    left.title(question, anchor=False)
    # In the page and not in the sidebar, which is shut on a phone, and long.
    problem = st.container()
    with st.sidebar:
        model = models.choose(problem)
        keys = image_picker.sample_keys()
        uploaded = image_picker.folder()
    with right:
        uploaded = [*image_picker.drop(), *uploaded]
    chosen = image_picker.gather(uploaded, keys)
    if model is None:
        st.info("There is no model to look into: choose one in the sidebar, or do what is said above.")
        st.stop()
    notes.warn(model.notes, "gates")
    if about_images and not chosen.images:
        st.info("Drop images into the box above, or choose sample photographs in the sidebar.")
        st.stop()
    return Head(model, chosen, left.empty())
