"""A choice that is part of the URL; a URL with an unknown option is said."""

from collections.abc import Sequence
from typing import TypeVar

import streamlit as st

from se_viz.ui.markdown import escape_markdown

T = TypeVar("T", bound=str)

_LISTED = 12


def choose(label: str, options: Sequence[T], key: str, *, at_first: int = 0, segmented: bool = False) -> T:
    """Draw a choice with the key as its name in the URL, and return the option.

    Args:
        label: label of the widget.
        options: the options.
        key: key of the widget.
        at_first: index of the option at first.
        segmented: whether it is drawn as buttons side by side; otherwise as a list.
    """
    asked = st.query_params.get(key)
    if asked is not None and asked not in options:
        listed = ", ".join(options[:_LISTED]) + (" …" if len(options) > _LISTED else "")
        st.warning(
            escape_markdown(
                f"The link asks for {label.lower()} {asked[:100]}, and there is {listed}: {options[at_first]} is shown."
            )
        )
    if segmented:
        found: T = st.segmented_control(
            label, options, default=options[at_first], key=key, bind="query-params", required=True
        )
        return found
    return st.selectbox(label, options, index=at_first, key=key, bind="query-params")
