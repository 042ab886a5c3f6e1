"""The number of an image, from 1: links name an image by it, as names of files may be private; lists add the name."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from se_viz.data.images import InputImage
from se_viz.ui.state import selection
from se_viz.ui.state.interrupted_runs import sent_again


def draw(label: str, options: Sequence[str], images: Sequence[InputImage], key: str, **drawn: Any) -> None:  # noqa: ANN401
    """Draw the choice of one of the images by their hashes, which the session has under ``key``.

    Args:
        label: label of the widget.
        options: hashes of the images to choose from.
        images: all images of the page; their positions are the numbers.
        key: key of the widget, and its name in the URL.
        drawn: further arguments of the widget, such as ``help`` and ``width``.
    """
    hashes = [image.sha256 for image in images]
    names = _label_by_hash(images)
    st.selectbox(label, options, format_func=names, key=sent_again(key), on_change=choose, args=(key, hashes), **drawn)


def _label_by_hash(images: Sequence[InputImage]) -> Callable[[str], str]:
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
