"""The number of an image, from 1: links name an image by it, as names of files may be private; lists add the name."""

from collections.abc import Callable, Sequence

import streamlit as st

from se_viz.data.images import InputImage
from se_viz.ui.state import selection


def label_by_hash(images: Sequence[InputImage]) -> Callable[[str], str]:
    """Return the function from the hash of an image to its label in a list of choices, for instance "2 cat.jpg"."""
    labels: dict[str, str] = {}
    for number, image in enumerate(images, 1):
        labels.setdefault(image.sha256, f"{number} {image.name}")  # the first of equal images, as an index finds it
    return labels.__getitem__


def choose(key: str, hashes: Sequence[str]) -> None:
    """Make the number of the image that the widget ``key`` has the choice with this name in the URL; for callbacks.

    After an upload the browser may still send the label of before, whose number is another one: it is no choice.
    """
    if st.session_state[key] in hashes:
        selection.choose(**{key: hashes.index(st.session_state[key]) + 1})
    else:
        del st.session_state[key]


def index_of(number: str, count: int) -> int | None:
    """Return the index, from 0, of the image with a number from 1; None if there is no such image."""
    known = number.isascii() and number.isdigit() and 1 <= int(number) <= count
    return int(number) - 1 if known else None
