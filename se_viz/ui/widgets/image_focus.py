"""The image in focus: the newest image, until the user chooses another."""

from collections.abc import Sequence

import streamlit as st

from se_viz.ui.state import selection
from se_viz.ui.state.selection import IMAGE
from se_viz.ui.widgets import image_number, link_messages

_SEEN, _FOCUS = "images_seen", "image_in_focus"


def index(hashes: Sequence[str]) -> int:
    """Return the index of the image in focus.

    The choice follows its image when others are added or removed, and its number in the URL is corrected then. The URL
    has only the number, not the name.

    Args:
        hashes: hashes of the images, in order.
    """
    seen: set[str] | None = st.session_state.get(_SEEN)
    st.session_state[_SEEN] = set(hashes)
    number, kept = st.session_state.get(_FOCUS, ("", ""))  # the choice of the run before, and the image that it meant
    chosen = selection.chosen(IMAGE)
    new = [sha256 for sha256 in hashes if seen is not None and sha256 not in seen]
    if new:
        found = hashes.index(new[0])
    elif chosen == number and kept in hashes:
        found = hashes.index(kept)
    else:
        found = _of_number(chosen or "1", len(hashes))
    if chosen != str(found + 1) and (chosen or found):
        selection.correct(**{IMAGE: found + 1})
    st.session_state[_FOCUS] = selection.chosen(IMAGE), hashes[found]
    return found


def _of_number(number: str, count: int) -> int:
    asked, found = link_messages.asked(IMAGE), image_number.index_of(number, count)
    if found is None and asked:
        there = "there is one image" if count == 1 else f"there are images 1 to {count}"
        link_messages.warn(IMAGE, f"image {asked[0]}", there, "image 1")
    return found or 0
