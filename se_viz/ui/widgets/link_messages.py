"""The link that opened the page: what it asks for, and a message where it asks for something that does not exist."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from se_viz.ui.markdown import escape_markdown

_ASKED, _TOLD = "link_asks", "link_told"
_LONGEST = 100


def asked(key: str) -> Sequence[str]:
    """Return the values that the link had for a key, the first time that this is asked in a session.

    Later values in the URL are choices of this session, which may name a gate of the model before.
    """
    if _ASKED not in st.session_state:
        st.session_state[_ASKED] = {name: st.query_params.get_all(name) for name in st.query_params}
    values: Sequence[str] = st.session_state[_ASKED].pop(key, ())
    return values


def warn(
    key: str, missing: str, exists: str, shown: str, place: DeltaGenerator | None = None, value: object = None
) -> None:
    """Say what the link asks for, what there is, and what is shown instead; ``repeat`` says it in later reruns.

    Args:
        key: key of the widget.
        missing: what the link asks for.
        exists: what there is, as a clause.
        shown: what is shown instead.
        place: where to say it, if not here.
        value: value of the widget in place of what is missing; if None, the value that it has in the next rerun.
    """
    message = f"The link asks for {missing[:_LONGEST]}, but {exists}; {shown} is shown instead."
    st.session_state.setdefault(_TOLD, {})[key] = (value, message)
    (place or st).warning(escape_markdown(message))


def repeat(key: str, place: DeltaGenerator | None = None) -> None:
    """Repeat the message about a key, if there is one, until the user changes the choice."""
    told: dict[str, tuple[object, str]] = st.session_state.setdefault(_TOLD, {})
    if key not in told:
        return
    (before, message), now = told[key], st.session_state.get(key)
    if before is not None and now is not None and now != before:
        del told[key]
        return
    told[key] = (now if before is None else before, message)
    (place or st).warning(escape_markdown(message))
