"""The numbers of a loaded network that is not a demo model; they are counted once for all sessions."""

from concurrent.futures import Future
from functools import partial

import streamlit as st

from se_viz.analysis.cost import Cost
from se_viz.analysis.loaded_network import Measured, cost_of, from_capture, from_profiles
from se_viz.data.images import InputImage
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.ui.state import captures, device_queue, profiles
from se_viz.ui.state.models import with_cpu_fallback


@st.cache_resource(max_entries=16, show_spinner=False)
def _cost(_model: Model, key: str) -> Future[Cost]:
    del key
    return device_queue.line(str(_model.device)).submit(partial(cost_of, _model))


def cost(model: Model) -> Cost:
    """Return the cost of a model, counted when its turn on the device has come."""
    with with_cpu_fallback(str(model.device)):
        try:
            return device_queue.wait(_cost(model, model.key), str(model.device), lambda _: st.empty())
        except Exception:
            _cost.clear(model, model.key)
            raise


@st.cache_resource(scope="session", max_entries=8, show_spinner="Reading the class profiles …")
def _from_profiles(_profiles: ClassProfiles, path: str, changed: float) -> Measured | None:
    del path, changed
    return from_profiles(_profiles)


def measured(model: Model, images: tuple[InputImage, ...]) -> Measured | None:
    """Return the responses of a model's gates: from class profiles with s of single images, else from these images.

    If there are several such class profiles, those that were chosen on the Classes page come first, and then the last.
    """
    by_name, _ = profiles.profiles_of(model)
    chosen = by_name.pop(st.session_state.get("profiles", ""), None)
    for one in (*([chosen] if chosen else ()), *reversed(list(by_name.values()))):
        if found := _from_profiles(one, str(one.path), one.path.stat().st_mtime):
            return found
    return from_capture(captures.values(model, images, "beside")) if len(images) > 1 else None
