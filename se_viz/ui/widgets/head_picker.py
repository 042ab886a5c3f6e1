"""The choice of the head, which is the meaning of a network's outputs."""

from typing import cast

import streamlit as st

from se_viz.ui.state.interrupted_runs import sent_again
from se_viz.ui.widgets import choice
from se_viz.weights.head import KINDS, Head, HeadKind

UNSAID = "automatic"
_KEY, _THRESHOLD = "head", "threshold"
_CAPTIONS = {
    UNSAID: "The head that is known for the network. If it is not known, two or more outputs are classes, and one is "
    "a number.",
    "classes": "Softmax over all outputs; the prediction is the most probable class.",
    "binary": "One output, the logit of yes; its sigmoid is the probability of yes.",
    "labels": "Independent labels; the sigmoid of each output is the probability of its label.",
    "number": "A regression; the outputs are shown as numbers.",
    "features": "No predictions; the gates are read as usual.",
}
_WITH_THRESHOLD = ("binary", "labels")


def choose() -> Head | None:
    """Ask for the head, and return it; None means automatic: from the card, from the library, or assumed."""
    choice.choose("Head: what the outputs mean", [UNSAID, *KINDS], _KEY)
    # The options are part of links, so they stay short, and this explains them.
    st.caption(_CAPTIONS[st.session_state[_KEY]])
    if st.session_state[_KEY] in _WITH_THRESHOLD:
        st.number_input(
            "Threshold",
            0.01,
            0.99,
            0.5,
            0.05,
            key=sent_again(_THRESHOLD),
            bind="query-params",
            help="Probability at which a binary head predicts yes, and a label applies.",
        )
    return chosen()


def forget() -> None:
    """Reset the choice to automatic; for callbacks."""
    st.session_state[_KEY] = UNSAID


def chosen() -> Head | None:
    """Return the head that was chosen, as ``choose`` does."""
    kind = st.session_state.get(_KEY, UNSAID)
    if kind not in KINDS:
        return None
    head = Head(cast("HeadKind", kind))
    return Head(head.kind, st.session_state[_THRESHOLD]) if kind in _WITH_THRESHOLD else head
