"""Runs of the page that another run interrupted, whose last messages the browser may never have got.

When a run begins, Streamlit drops the messages that it has not sent yet, and it sends the value of a widget only in the
run that sets it. If that run was interrupted, the browser draws the widget with its default, and the next click makes
this default the choice. So the run after an interrupted one sets the value of each widget again.
"""

import streamlit as st

_UNFINISHED, _AGAIN = "run_unfinished", "values_sent_again"  # in the session


def begin() -> None:
    """Note that a run of the whole page has begun."""
    st.session_state[_AGAIN] = st.session_state.get(_UNFINISHED, False)
    st.session_state[_UNFINISHED] = True


def end() -> None:
    """Note that the run has come to its end."""
    st.session_state[_UNFINISHED] = False


def sent_again(key: str) -> str:
    """Return the key of a widget that is about to be drawn; after an interrupted run, its value is set again."""
    if st.session_state.get(_AGAIN) and key in st.session_state:
        st.session_state[key] = st.session_state[key]
    return key
