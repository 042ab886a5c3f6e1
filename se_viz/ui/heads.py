"""The choice of what a network's outputs mean."""

from typing import cast

import streamlit as st

from se_viz.zoo.head import KINDS, Head, HeadKind

_UNSAID = "automatic"
_KEY, _THRESHOLD = "head", "threshold"
_WITH_THRESHOLD = ("binary", "labels")


def choose() -> Head | None:
    """Ask what the outputs mean; None where nobody says, so that it is the card's, the library's, or assumed."""
    st.selectbox(
        "Head",
        [_UNSAID, *KINDS],
        key=_KEY,
        bind="query-params",
        help="What the network's outputs mean. **classes**: softmax, one of them is said. **binary**: one output, the "
        "logit of yes. **labels**: each holds or not, by itself. **number**: as it is. **features**: nothing is "
        "predicted. **automatic**: what is known of the network; else two outputs and more are taken as classes, one "
        "as a number.",
    )
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


def chosen() -> Head | None:
    """What ``choose`` returned."""
    kind = st.session_state.get(_KEY, _UNSAID)
    if kind not in KINDS:
        return None
    head = Head(cast("HeadKind", kind))
    return Head(head.kind, st.session_state[_THRESHOLD]) if kind in _WITH_THRESHOLD else head
