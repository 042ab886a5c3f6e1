"""The number of an image in the URL: a link names an image by its place, so that it contains no names of files."""

from collections.abc import Sequence

import streamlit as st


def write(key: str, hashes: Sequence[str]) -> None:
    """Write the number of the image that the widget ``key`` has chosen into the URL; for callbacks.

    After an upload the browser may still send the label of before, whose number is another one: it is no choice.
    """
    if st.session_state[key] in hashes:
        st.query_params[key] = str(hashes.index(st.session_state[key]) + 1)
    else:
        del st.session_state[key]


def index_of(number: str, count: int) -> int | None:
    """Return the index, from 0, of the image with a number from 1; None if there is no such image."""
    known = number.isascii() and number.isdigit() and 1 <= int(number) <= count
    return int(number) - 1 if known else None
