"""The choice of another image, whose s replaces s of the image in focus."""

from collections.abc import Sequence

import streamlit as st

from se_viz.data.images import InputImage
from se_viz.ui.state import presentation
from se_viz.ui.widgets import image_number
from se_viz.ui.widgets.choice import check

_KEY, _BEFORE = "other", "other_before"


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
    check("Other image", numbers, _KEY, "another image")
    if st.session_state.get(_KEY) not in others:
        before = st.session_state.get(_BEFORE)
        following = next((sha256 for sha256 in hashes[focus + 1 :] if sha256 in others), others[0])
        st.session_state[_KEY] = before if before in others else _from_address(hashes, others) or following
    st.selectbox(
        "Other image",
        others,
        format_func=image_number.label_by_hash(images),
        key=_KEY,
        on_change=image_number.write,
        args=(_KEY, hashes),
        help="An image of the page; its s is used in the place of s of the image in focus.",
        width=presentation.wide(220),
    )
    st.session_state[_BEFORE] = st.session_state[_KEY]
    return hashes.index(st.session_state[_KEY])


def _from_address(hashes: Sequence[str], others: Sequence[str]) -> str | None:
    index = image_number.index_of(st.query_params.get(_KEY, ""), len(hashes))
    return hashes[index] if index is not None and hashes[index] in others else None
