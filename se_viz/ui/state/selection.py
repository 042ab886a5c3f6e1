"""The selection of the whole app: model, image, gate, channel and two classes, which stay when the page changes.

The session has it, and the URL: one call of ``choose`` is one step of the browser's history, and is counted, as the
browser cannot tell it from a correction. After Back or Forward, and in the first run of a session, the URL decides.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import overload

import streamlit as st

from se_viz import former_names
from se_viz.ui.state.visitor import moved_in_history

MODEL, IMAGE, GATE, CHANNEL = "model", "focus", "gate", "channel"
CLASS_A, CLASS_B, SAMPLES, PRESENT = "class_a", "class_b", "samples", "present"
"""Names in the URL, which are also the keys of the widgets."""

_NAMES = (MODEL, IMAGE, GATE, CHANNEL, CLASS_A, CLASS_B, SAMPLES, PRESENT)
_CHOSEN, _SHOWN, _CHANGES, _PAGE = "selection", "selection_shown", "changes_counted", "page_opened"


@dataclass(frozen=True)
class Selection:
    """The image, the gate and the channel that a page shows in detail.

    Attributes:
        image: index of the image in focus, from 0.
        gate: name of the gate; "" on a page without a gate.
        channel: number of the channel; None until one is chosen.
    """

    image: int = 0
    gate: str = ""
    channel: int | None = None


def start() -> None:
    """Take the choices from the URL if it decides in this run; otherwise put into the URL what it lacks."""
    st.session_state[_SHOWN] = {}
    of_address = _of_address()
    if _CHOSEN not in st.session_state or moved_in_history():
        st.session_state[_CHOSEN] = of_address
        return
    # A run that was asked for before the browser had the URL of the run before has an old one.
    if lost := {name: value for name, value in _chosen().items() if of_address.get(name) != value}:
        st.query_params.update(lost)


def choose(**values: str | int) -> None:
    """Choose by names in the URL; for callbacks."""
    with _counted():
        correct(**values)


def correct(**values: str | int) -> None:
    """Choose by names in the URL what follows from another change; for a page, before its widgets are drawn."""
    _chosen().update({name: str(value) for name, value in values.items()})
    st.query_params.update(_chosen())  # all, as the URL of this run may be older than the choice before


def forget(name: str) -> None:
    """Take a choice back: the page shows its first choice again; for callbacks."""
    with _counted():
        _chosen().pop(name, None)
        if name in st.query_params:
            del st.query_params[name]


def write(name: str, value: str | int) -> None:
    """Write a choice that only one page has into the URL; for callbacks."""
    with _counted():
        st.query_params[name] = str(value)


def open_page(path: str) -> None:
    """Remember the page of this run; to go to another one is a change, but for Back and Forward."""
    before = st.session_state.get(_PAGE, path)
    st.session_state[_PAGE] = path
    if before != path and not moved_in_history():
        st.session_state[_CHANGES] = changes() + 1


def changes() -> int:
    """Return how many deliberate changes of the URL Python has made in this session.

    Not among them are those of widgets that are bound to the URL, which the browser makes itself.
    """
    counted: int = st.session_state.get(_CHANGES, 0)
    return counted


@contextmanager
def _counted() -> Iterator[None]:
    """Count a change, if the URL is another one at the end of the block."""
    before = dict(st.query_params)
    yield
    if dict(st.query_params) != before:
        st.session_state[_CHANGES] = changes() + 1


@overload
def chosen(name: str) -> str: ...
@overload
def chosen(name: str, otherwise: None) -> str | None: ...
def chosen(name: str, otherwise: str | None = "") -> str | None:
    """Return a choice; ``otherwise`` without one: the page then shows its first choice."""
    return _chosen().get(name, otherwise)


def number(name: str, count: int) -> int | None:
    """Return a choice as a number from 0 up to ``count`` exclusive; None without a choice, or without such a number."""
    text = chosen(name)
    return int(text) if text.isascii() and text.isdigit() and int(text) < count else None


def note(name: str, value: str | int) -> None:
    """Remember that a value is shown, be it chosen or the first choice of the page."""
    st.session_state.setdefault(_SHOWN, {})[name] = str(value)


def shown() -> dict[str, str]:
    """Return what this run shows, by names in the URL."""
    found: dict[str, str] = st.session_state.get(_SHOWN, {})
    return dict(found)


def _chosen() -> dict[str, str]:
    found: dict[str, str] = st.session_state[_CHOSEN]
    return found


def _of_address() -> dict[str, str]:
    """Return the choices of the URL, also those of links that an older SE Viz made."""
    found = {name: st.query_params[name] for name in _NAMES if name in st.query_params}
    for name, former in former_names.CLASSES.items():
        if former in st.query_params and former_names.CLASSES[CLASS_A] in st.query_params:
            found.setdefault(name, st.query_params[former])
    for former in former_names.GATES:
        if former in st.query_params:
            found.setdefault(GATE, st.query_params[former])
    return found
