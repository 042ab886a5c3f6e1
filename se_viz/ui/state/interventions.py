"""Edits and attributions that reruns and sessions share, each for one image; the network itself is never changed."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
import streamlit as st

from se_viz.data.images import InputImage
from se_viz.interventions.attribution import Attribution, Method, attribute
from se_viz.interventions.baseline import Weights
from se_viz.interventions.capture import capture
from se_viz.interventions.edits import Edits
from se_viz.interventions.faithfulness import Faithfulness, faithfulness
from se_viz.interventions.gate_effects import GateEffects, edited_outputs, gate_means, gate_weights, outputs_of
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.types import Floats
from se_viz.ui.state import cache_budget, captures, device_queue
from se_viz.ui.state.models import take_turn, with_cpu_fallback

T = TypeVar("T")

_POINTS, _REPEATS = 13, 5  # of the curves, fewer than in Python so that an early gate takes seconds
_WORDS = 8  # bytes of a number


def key_of(profiles: ClassProfiles | None) -> tuple[str, float]:
    """Return the identity of class profiles: their file and when it was written."""
    return ("", 0.0) if profiles is None else (str(profiles.path), profiles.path.stat().st_mtime)


@st.cache_resource(max_entries=16, show_spinner="Reading the mean of s …")
def _means(
    _model: Model, _profiles: ClassProfiles | None, key: str, profiles: tuple[str, float]
) -> dict[str, Floats] | None:
    del key, profiles
    return gate_means(_model, _profiles)


def means(model: Model, profiles: ClassProfiles | None) -> dict[str, Floats] | None:
    """Return the mean of s of each gate (C,), or None where no class profiles say what it is."""
    return _means(model, profiles, model.key, key_of(profiles))


@st.cache_resource(max_entries=4096, show_spinner=False)
def _gate(
    _model: Model, _image: InputImage, _weights: Floats, key: str, sha256: str, gate: str, replaced: tuple[object, ...]
) -> Future[Floats]:
    del key, sha256, replaced

    def run() -> Floats:
        return edited_outputs(_model, _model.inputs(_image), gate, _weights)

    return device_queue.line(str(_model.device)).submit(run)


def effects(
    model: Model, image: InputImage, before: Floats, other_image: InputImage | None, profiles: ClassProfiles | None
) -> GateEffects:
    """Return the outputs for an image with s of one gate at a time replaced.

    Args:
        model: the model.
        image: the image.
        before: outputs for it without edits (K,).
        other_image: the image whose s is used, if there is one.
        profiles: where the mean of s is taken from; the bundled ones of a demo model if not given.
    """
    mean = means(model, profiles)
    others = None if other_image is None else captures.values(model, [other_image], "other")
    replaced = other_image.sha256 if other_image else "", *key_of(profiles)
    place = st.empty()
    after: dict[str, Floats] = {}
    for index, gate in enumerate(model.gates):
        rows = gate_weights(gate, mean, others)
        key = (model, image, np.stack(list(rows.values())), model.key, image.sha256, gate.name, replaced)

        def show(ahead: int, index: int = index) -> None:
            waiting = f", {ahead} ahead in the queue" if ahead else ""
            place.progress(index / len(model.gates), f"Replacing s: gate {index + 1} of {len(model.gates)}{waiting}")

        after[gate.name] = _finished(_gate, key, 3, model, show, lambda made: made.nbytes)
    place.empty()
    return GateEffects(tuple(rows), before, after)


@st.cache_resource(max_entries=512, show_spinner=False)
def _of_channels(
    _model: Model,
    _image: InputImage,
    _profiles: ClassProfiles | None,
    key: str,
    sha256: str,
    quantity: Literal["attribution", "curves"],
    about: tuple[Any, ...],
) -> Future[Any]:
    del key, sha256
    gate, target, method, baseline = about[:4]
    measure = attribute if quantity == "attribution" else partial(faithfulness, points=_POINTS, repeats=_REPEATS)
    settings = {"target": target, "method": method, "baseline": baseline, "profiles": _profiles}
    return device_queue.line(str(_model.device)).submit(partial(measure, _model, [_image], gate, **settings))


def attribution(
    model: Model,
    image: InputImage,
    profiles: ClassProfiles | None,
    about: tuple[str, int, Method, Weights],
) -> Attribution:
    """Return the attribution of an output to the channels of a gate.

    Args:
        model, image, profiles: as for ``effects``.
        about: name of the gate, index of the output, method, baseline.
    """
    key = (model, image, profiles, model.key, image.sha256, "attribution", (*about, key_of(profiles)))
    return _waited(key, model, "Attributing the output to channels", lambda found: 3 * found.values.nbytes)


def curves(
    model: Model,
    image: InputImage,
    profiles: ClassProfiles | None,
    about: tuple[str, int, Method, Weights],
) -> Faithfulness:
    """Return the faithfulness of orders of a gate's channels; arguments as for ``attribution``."""
    key = (model, image, profiles, model.key, image.sha256, "curves", (*about, key_of(profiles)))
    return _waited(key, model, "Changing channels in several orders", lambda _found: 8 * _POINTS * _WORDS)


def edited(model: Model, image: InputImage, edits: Edits, profiles: ClassProfiles | None) -> Floats:
    """Return the outputs for an image with edits of s (K,)."""

    def run() -> Floats:
        first: Floats = outputs_of(capture(model, [image], edits=edits, profiles=profiles))[0]
        return first

    return take_turn(model, run)


def _waited(key: tuple[Any, ...], model: Model, doing: str, size: Callable[[T], int]) -> T:
    place = st.empty()

    def show(ahead: int) -> None:
        place.caption(f"{doing} …" if ahead < 2 else f"{doing}: {ahead} ahead in the queue.")

    try:
        return _finished(_of_channels, key, 3, model, show, size)
    finally:
        place.empty()


def _finished(
    make: Any,  # noqa: ANN401 - a cached function, which has a method ``clear``
    key: tuple[Any, ...],
    hidden: int,
    model: Model,
    show: Callable[[int], object],
    size: Callable[[T], int],
) -> T:
    """Return what a cached function submitted, once it is done; a failed one is not kept.

    Args:
        make: the cached function, which returns a future.
        key: its arguments.
        hidden: how many of them, at the start, are not part of the identity.
        model: the model, whose device does the work.
        show: shows how many items are ahead.
        size: returns the bytes of the result.
    """
    names = (*[None] * hidden, *key[hidden:])
    with with_cpu_fallback(str(model.device)):
        try:
            made: T = device_queue.wait(make(*key), str(model.device), show)
        except Exception:
            make.clear(*names)
            raise
    cache_budget.captures().used((make.__name__, *names), size(made), partial(make.clear, *names))
    return made
