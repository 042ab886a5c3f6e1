"""The choice of the image in focus, which sentences, points and maps show."""

from collections.abc import Sequence

import streamlit as st

from se_viz.data.images import InputImage
from se_viz.ui.widgets import link

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
            on_change=_to_address,
            args=(hashes,),
            width=300,
        )
    return hashes.index(st.session_state[_KEY])


def _to_address(hashes: Sequence[str]) -> None:
    """Write the number of the image into the URL.

    After an upload the browser may still send the label of before, whose number is another one: it is no choice.
    """
    if st.session_state[_KEY] in hashes:
        st.query_params[_KEY] = str(hashes.index(st.session_state[_KEY]) + 1)
    else:
        del st.session_state[_KEY]


def _from_address(count: int) -> int:
    number = next(iter(link.asked(_KEY)), "1")
    if number.isascii() and number.isdigit() and 1 <= int(number) <= count:
        return int(number) - 1
    there = "there is one image" if count == 1 else f"there are images 1 to {count}"
    link.warn(_KEY, f"image {number}", there, "image 1")
    return 0
