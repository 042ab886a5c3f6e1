"""Readings that reruns and sessions share, one picture at a time, with progress and a way to stop."""

from collections.abc import Sequence
from time import monotonic

import numpy as np
import streamlit as st
import torch

from se_viz.data.images import Picture
from se_viz.gates.capture import Array, Capture, capture
from se_viz.gates.model import Model
from se_viz.gates.stack import stack
from se_viz.ui.models import member, plain_member
from se_viz.zoo.catalogue import Network

_PATIENCE = 0.3  # seconds of work before a bar is worth its flicker


@st.cache_resource(max_entries=1024, show_spinner=False)
def _values(_model: Model, _picture: Picture, key: str, sha256: str) -> Capture:
    del key, sha256  # which model, where and in what numbers, and which content
    return capture(_model, _picture)


@st.cache_resource(max_entries=32, show_spinner=False)
def _maps(_model: Model, _picture: Picture, key: str, sha256: str, gate: str) -> Capture:
    del key, sha256
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
        parts.append(_values(model, picture, model.key, picture.sha256))
    place.empty()
    return stack(parts)


@st.cache_resource(max_entries=1024, show_spinner=False)
def _plain_logits(_network: Network, _picture: Picture, name: str, device: str, sha256: str) -> Array:
    del name, sha256
    with torch.inference_mode():
        logits: Array = _network.module(_network.preprocess([_picture.image]).to(device)).float().cpu().numpy()
    return logits


def logits(name: str, device: str, pictures: Sequence[Picture], *, gated: bool) -> Array:
    """The output (N, K) of a demo model, with gates or without."""
    if gated:
        return values(member(name, device), pictures).logits
    network = plain_member(name, device)
    return np.concatenate([_plain_logits(network, one, name, device, one.sha256) for one in pictures])


def _stop(name: str, wanted: tuple[str, ...]) -> None:
    st.session_state["stopped"] = (name, wanted)


def maps(model: Model, picture: Picture, gate: str) -> Capture:
    """All values of one picture, with U and X̃ of one gate."""
    return _maps(model, picture, model.key, picture.sha256, gate)
