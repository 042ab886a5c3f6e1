"""Captures that reruns and sessions share, made one image at a time, with progress and a Stop button."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from time import monotonic
from typing import Any

import numpy as np
import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator

from se_viz.data.images import InputImage
from se_viz.device.memory import raise_if_full
from se_viz.gates.capture import Capture
from se_viz.gates.joined_captures import stack
from se_viz.model.capture import captured as capture  # pages show values that are not finite themselves
from se_viz.model.model import Model
from se_viz.types import Float32s
from se_viz.ui.state import cache_budget, device_queue
from se_viz.ui.state.models import member, plain_member, with_cpu_fallback
from se_viz.wording import counted
from se_viz.zoo.registry import Network

PATIENCE = 0.3  # seconds of work before a progress bar appears


@st.cache_resource(max_entries=1024, show_spinner=False)
def _values(_model: Model, _image: InputImage, key: str, sha256: str) -> Future[Capture]:
    # The key, in place of hash_funcs: the budget clears an entry by it and keeps neither the model nor the image.
    del key, sha256
    return device_queue.line(str(_model.device)).submit(partial(capture, _model, _image))


@st.cache_resource(max_entries=32, show_spinner=False)
def _maps(_model: Model, _image: InputImage, key: str, sha256: str, gate: str) -> Future[Capture]:
    del key, sha256
    return device_queue.line(str(_model.device)).submit(partial(capture, _model, _image, maps=[gate]))


def _finished(
    make: Callable[[], Future[Capture]], forget: Callable[[], object], model: Model, spot: DeltaGenerator
) -> Capture:
    """Return a capture when its turn has come; a failed one is not kept. ``spot`` shows that it waits."""
    # Created when there is something to show: most captures are cached, and a page asks for dozens.
    place: DeltaGenerator | None = None

    def show(ahead: int) -> None:
        nonlocal place
        place = place or spot.empty()
        # Written at every poll, because a click can end the run only here; sent to the browser only when it changes.
        text = f"Waiting for {model.device}: {counted(ahead, 'capture')} ahead in the queue."
        place.caption(text if ahead else "Reading the gates …")

    with with_cpu_fallback(str(model.device)):
        try:
            return device_queue.wait(make(), str(model.device), show)
        except Exception:
            forget()
            raise
        finally:
            if place is not None:
                place.empty()


def values(model: Model, images: Sequence[InputImage], part: str = "") -> Capture:
    """Return z and s of every gate and the logits for all images.

    A progress bar and a Stop button appear if this takes longer than a moment. The button, like any other choice made
    meanwhile, takes effect before the next image. A page that captures with one model twice passes a name for each
    ``part``.
    """
    wanted = tuple(image.sha256 for image in images)
    if st.session_state.get("stopped") == (model.key, wanted):
        st.info("Stopped. The images read so far are kept.")
        st.button("Continue", type="primary", key=f"go_on_{model.key}_{part}", on_click=_go_on)
        st.stop()
    spot = st.container()
    place = bar = None
    parts: list[Capture] = []
    started = monotonic()
    for index, image in enumerate(images):
        if bar is None and index and monotonic() - started > PATIENCE:
            place = spot.empty()
            with place.container(horizontal=True, vertical_alignment="center"):
                bar = st.progress(0.0)
                # The key has the model, as some pages capture with several models in one run.
                st.button("Stop", on_click=_stop, args=(model.key, wanted), key=f"stop_{model.key}_{part}")
        if bar is not None:
            bar.progress(index / len(images), f"Reading the gates: image {index + 1} of {len(images)}")
        key = (model, image, model.key, image.sha256)
        one = _finished(partial(_values, *key), partial(_values.clear, *key), model, spot)
        _count(one, _values.clear, key)
        parts.append(one)
    if place is not None:
        place.empty()
    return stack(parts)


@st.cache_resource(max_entries=1024, show_spinner=False)
def _plain_logits(_network: Network, _image: InputImage, name: str, device: str, sha256: str) -> Float32s:
    del name, sha256

    def run() -> Float32s:
        with torch.inference_mode(), raise_if_full(torch.device(device), "one image"):
            logits: Float32s = _network.module(_network.preprocess([_image.rgb]).to(device)).float().cpu().numpy()
        return logits

    return device_queue.take(run, device)


def logits(name: str, device: str, images: Sequence[InputImage], *, gated: bool) -> Float32s | None:
    """Return the output (N, K) of a demo model, with gates or without."""
    if gated:
        return values(member(name, device), images, "logits").logits
    network = plain_member(name, device)
    with with_cpu_fallback(device):
        return np.concatenate([_plain_logits(network, one, name, device, one.sha256) for one in images])


def _stop(key: str, wanted: tuple[str, ...]) -> None:
    st.session_state["stopped"] = (key, wanted)


def _count(result: Capture, clear: Callable[..., None], key: tuple[Any, ...]) -> None:
    """Count a capture against the budget; the callback that removes it keeps neither the model nor the image alive."""
    names = (None, None, *key[2:])
    cache_budget.captures().used(names, cache_budget.capture_bytes(result), partial(clear, *names))


def _go_on() -> None:
    st.session_state.pop("stopped", None)


def maps(model: Model, image: InputImage, gate: str) -> Capture:
    """Return the capture of one image, with U and X̃ of one gate."""
    key = (model, image, model.key, image.sha256, gate)
    result = _finished(partial(_maps, *key), partial(_maps.clear, *key), model, st.container())
    _count(result, _maps.clear, key)
    return result
