"""The choice of the class profiles that a page shows, where a model has several."""

from pathlib import Path

import streamlit as st

from se_viz import former_names
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.ui.state import profiles
from se_viz.ui.state.interrupted_runs import sent_again
from se_viz.ui.widgets import choice, notes

_KEY = "profiles"  # in the URL
_NEXT = "profiles_to_open"  # in the session: the folder of the class profiles to choose in the next run


def open_next(folder: Path) -> None:
    """Choose the class profiles in a folder when the page is drawn again."""
    st.session_state[_NEXT] = folder


def choose(model: Model) -> ClassProfiles | None:
    """Return the class profiles to show, with a choice if there are several; None if this model has none."""
    by_name, unread = profiles.profiles_of(model)
    notes.warn(unread, "profiles")
    if not by_name:
        return None
    name = next(iter(by_name))
    choice.check("class profiles of", list(by_name), _KEY, name)
    if len(by_name) > 1:
        former = st.query_params.pop(former_names.PARAMETER, None)
        if former in by_name:
            st.session_state.setdefault(_KEY, former)
        wanted = st.session_state.pop(_NEXT, None)
        for option, profiles_of_option in by_name.items():
            if profiles_of_option.path.parent == wanted:
                st.session_state[_KEY] = option
        name = st.selectbox("Class profiles", list(by_name), key=sent_again(_KEY), bind="query-params")
    return by_name[name]
