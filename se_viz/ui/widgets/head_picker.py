"""The choice of what a network's outputs mean."""

from typing import cast

import streamlit as st

from se_viz.weights.head import KINDS, Head, HeadKind

UNSAID = "automatic"
_KEY, _THRESHOLD = "head", "threshold"
_CAPTIONS = {
    UNSAID: "What is known of the network; else several outputs are classes, and one is a number.",
    "classes": "Softmax over all outputs: the network says the most probable class.",
    "binary": "One output, the logit of yes: σ of it is the probability of yes.",
    "labels": "Several may hold, each by itself: σ of an output is the probability of its label.",
    "number": "A regression: outputs are shown as the numbers they are.",
    "features": "Nothing is predicted; the gates are read as usual.",
}
_WITH_THRESHOLD = ("binary", "labels")


def choose() -> Head | None:
    """Ask what the outputs mean; None where nobody says, so that it is the card's, the library's, or assumed."""
    st.selectbox(
        "Head: what the outputs mean",
        [UNSAID, *KINDS],
        key=_KEY,
        bind="query-params",
    )
    # The names stand in links, so what they mean stands below.
    st.caption(_CAPTIONS[st.session_state[_KEY]])
    if st.session_state[_KEY] in _WITH_THRESHOLD:
        st.number_input(
            "Threshold",
            0.01,
            0.99,
            0.5,
            0.05,
            key=_THRESHOLD,
            bind="query-params",
            help="Probability from which on a binary head says yes, and a label holds.",
        )
    return chosen()


def forget() -> None:
    """Set the choice back to automatic; for callbacks."""
    st.session_state[_KEY] = UNSAID


def chosen() -> Head | None:
    """What ``choose`` returned."""
    kind = st.session_state.get(_KEY, UNSAID)
    if kind not in KINDS:
        return None
    head = Head(cast("HeadKind", kind))
    return Head(head.kind, st.session_state[_THRESHOLD]) if kind in _WITH_THRESHOLD else head
