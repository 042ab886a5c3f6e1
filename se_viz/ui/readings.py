"""Readings that reruns and sessions share, one picture at a time, with progress and a way to stop."""

from collections.abc import Sequence
from time import monotonic

import streamlit as st

from se_viz.data.images import Picture
from se_viz.gates.capture import Capture, capture
from se_viz.gates.model import Model
from se_viz.gates.stack import stack

_PATIENCE = 0.3  # seconds of work before a bar is worth its flicker


@st.cache_resource(max_entries=1024, show_spinner=False)
def _values(_model: Model, _picture: Picture, name: str, device: str, sha256: str) -> Capture:
    del name, device, sha256  # the key: which model, where, and which content
    return capture(_model, _picture)


@st.cache_resource(max_entries=32, show_spinner=False)
def _maps(_model: Model, _picture: Picture, name: str, device: str, sha256: str, gate: str) -> Capture:
    del name, device, sha256
    return capture(_model, _picture, maps=[gate])


def values(model: Model, pictures: Sequence[Picture]) -> Capture:
    """z and s of every gate and the logits for all pictures.

    A bar and a button to stop appear when it takes a while. The button, like any other choice made meanwhile, takes
    effect before the next picture.
    """
    wanted = tuple(picture.sha256 for picture in pictures)
    if st.session_state.get("stopped") == (model.name, wanted):
        st.info("Stopped. What was read is kept.")
        if not st.button("Go on", type="primary"):
            st.stop()
        del st.session_state["stopped"]
    place = st.empty()
    bar = None
    parts: list[Capture] = []
    started = monotonic()
    for index, picture in enumerate(pictures):
        if bar is None and index and monotonic() - started > _PATIENCE:
            with place.container(horizontal=True, vertical_alignment="center"):
                bar = st.progress(0.0)
                st.button("Stop", on_click=_stop, args=(model.name, wanted))
        if bar is not None:
            bar.progress(index / len(pictures), f"Reading the gates: picture {index + 1} of {len(pictures)}")
        parts.append(_values(model, picture, model.name, str(model.device), picture.sha256))
    place.empty()
    return stack(parts)


def _stop(name: str, wanted: tuple[str, ...]) -> None:
    st.session_state["stopped"] = (name, wanted)


def maps(model: Model, picture: Picture, gate: str) -> Capture:
    """All values of one picture, with U and X̃ of one gate."""
    return _maps(model, picture, model.name, str(model.device), picture.sha256, gate)
