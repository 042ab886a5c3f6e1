"""The card that offers the paper's network to a visitor who looks at a demo model."""

import os

import streamlit as st

from se_viz.model.model import Model
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import presentation, selection
from se_viz.ui.state.selection import MODEL
from se_viz.ui.widgets import download_weights
from se_viz.weights import cache, hub_cache
from se_viz.zoo import registry
from se_viz.zoo.registry import UnknownModel

NAME, CALLED = "timm/legacy_seresnet50.in1k", "the paper's SE-ResNet-50"
_DISMISSED = "first_run_dismissed"  # in the session
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def offer(model: Model) -> None:
    """Draw the card, unless the visitor has dismissed it, uses another model, or cannot download the weights.

    No request is sent: the facts are those of the registry, and the weights are looked for on this machine only.
    """
    if presentation.is_on() or not model.name.startswith("demo/") or st.session_state.get(_DISMISSED):
        return
    try:
        # Release files are in one folder: timm, whose import takes a second, is asked only where there are some.
        here = any((cache.folder() / "releases").glob("*")) and registry.is_cached(NAME)
        params, size = registry.params(NAME), registry.estimated_size(NAME)
    except UnknownModel:  # the index of gates may be built without it
        return
    if not here and (_offline() or download_weights.unreachable()):
        return
    cost = "already on this machine" if here else f"{size / 1e6:,.0f} MB download"
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key="first_run"):
        st.markdown(
            escape_markdown(f"Use {CALLED} ({(params or 0) / 1e6:,.0f} M parameters, {cost})"),
            width="stretch",
        )
        st.button("Use it" if here else "Download and use it", key="use_paper", type="primary", on_click=_use)
        st.button("Not now", key="dismiss_paper", type="tertiary", on_click=_dismiss)


def _use() -> None:
    """Choose the network, whose download starts in the run that follows."""
    download_weights.ask(NAME)
    selection.choose(**{MODEL: NAME})  # last, as Streamlit may end a callback that writes into the URL


def _dismiss() -> None:
    st.session_state[_DISMISSED] = True


def _offline() -> bool:
    """Return whether a variable forbids downloads; the library is imported (0.2 s) only where one is set."""
    return any(map(os.environ.get, _OFFLINE)) and hub_cache.is_offline()
