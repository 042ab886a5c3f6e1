"""The choice of the class profiles that a page shows, where a model has several."""

import streamlit as st

from se_viz import former_names
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.ui.state import profiles
from se_viz.ui.widgets import notes


def choose(model: Model) -> ClassProfiles | None:
    """Return the class profiles to show, with a choice if there are several; None if this model has none."""
    by_name, unread = profiles.profiles_of(model)
    notes.warn(unread, "profiles")
    if not by_name:
        return None
    name = next(iter(by_name))
    if len(by_name) > 1:
        former = st.query_params.pop(former_names.PARAMETER, None)
        if former in by_name:
            st.session_state.setdefault("profiles", former)
        name = st.selectbox("Class profiles", list(by_name), key="profiles", bind="query-params")
    return by_name[name]
