"""The choice of the image in focus, which sentences, points and maps show."""

from collections.abc import Sequence

import streamlit as st

from se_viz.data.images import InputImage
from se_viz.ui.widgets import image_number, link

_KEY = "focus"


def choose(images: Sequence[InputImage]) -> int:
    """Return the index of the image in focus: the newest image, until the user chooses another.

    With one image there is nothing to choose. The choice follows its image when others are added or removed. The URL
    has only its number, not its name.
    """
    link.repeat(_KEY)
    hashes = [image.sha256 for image in images]
    before: set[str] | None = st.session_state.get("images_seen")
    new = [sha256 for sha256 in hashes if before is not None and sha256 not in before]
    st.session_state["images_seen"] = set(hashes)
    if new:
        st.session_state[_KEY] = new[0]
    elif st.session_state.get(_KEY) not in hashes:
        st.session_state[_KEY] = hashes[_from_address(len(hashes))]
    if len(images) > 1:
        st.selectbox(
            "Image in focus",
            hashes,
            format_func=lambda sha256: f"In focus: {hashes.index(sha256) + 1} {images[hashes.index(sha256)].name}",
            key=_KEY,
            label_visibility="collapsed",
            on_change=image_number.write,
            args=(_KEY, hashes),
            width=300,
        )
    return hashes.index(st.session_state[_KEY])


def _from_address(count: int) -> int:
    number = next(iter(link.asked(_KEY)), "1")
    index = image_number.index_of(number, count)
    if index is not None:
        return index
    there = "there is one image" if count == 1 else f"there are images 1 to {count}"
    link.warn(_KEY, f"image {number}", there, "image 1")
    return 0
