"""The choice of another image, whose s replaces s of the image in focus."""

from collections.abc import Sequence

import streamlit as st

from se_viz.data.images import InputImage
from se_viz.ui.state import presentation, selection
from se_viz.ui.state.selection import OTHER
from se_viz.ui.state.visitor import moved_in_history
from se_viz.ui.widgets import image_number
from se_viz.ui.widgets.choice import check

_BEFORE = "other_before"


def choose(images: Sequence[InputImage], focus: int) -> int | None:
    """Return the index of the other image, the next one at first; None if there is one image only.

    The URL has only its number, not its name.
    """
    if len(images) < 2:
        return None
    hashes = [image.sha256 for image in images]
    others = [sha256 for index, sha256 in enumerate(hashes) if index != focus and sha256 != hashes[focus]]
    if not others:
        return None
    numbers = [str(hashes.index(sha256) + 1) for sha256 in others]
    check("Other image", numbers, OTHER, "another image")
    if moved_in_history():
        st.session_state.pop(OTHER, None)
        st.session_state.pop(_BEFORE, None)
    if st.session_state.get(OTHER) not in others:
        before = st.session_state.get(_BEFORE)
        following = next((sha256 for sha256 in hashes[focus + 1 :] if sha256 in others), others[0])
        st.session_state[OTHER] = before if before in others else _chosen(hashes, others) or following
    image_number.draw(
        "Other image",
        others,
        images,
        OTHER,
        help="An image of the page, whose s replaces s of the image in focus.",
        width=presentation.wide(220),
    )
    st.session_state[_BEFORE] = st.session_state[OTHER]
    return hashes.index(st.session_state[OTHER])


def _chosen(hashes: Sequence[str], others: Sequence[str]) -> str | None:
    index = image_number.index_of(selection.chosen(OTHER), len(hashes))
    return hashes[index] if index is not None and hashes[index] in others else None
