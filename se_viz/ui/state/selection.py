"""The selection of the whole app: model, image, gate, channel and two classes, which stay when the page changes.

The session has it, and the URL: one call of ``choose`` is one step of the browser's history. After Back or Forward, and
in the first run of a session, the URL decides. Each address that this module writes has a mark, from which the script
in the page tells a change from a correction; the script takes it out again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import overload

import streamlit as st

from se_viz import former_names
from se_viz.ui.state.visitor import moved_in_history

MODEL, IMAGE, GATE, CHANNEL, OTHER = "model", "focus", "gate", "channel", "other"
CLASS_A, CLASS_B, SAMPLES, PRESENT = "class_a", "class_b", "samples", "present"
"""Names in the URL, which are also the keys of the widgets."""

NAMES = (MODEL, IMAGE, GATE, CHANNEL, OTHER, CLASS_A, CLASS_B, SAMPLES, PRESENT)
MARK = "history"
"""Name of the mark in the URL: the number of the run, of changes, of runs after Back or Forward, and the page."""

_CHOSEN, _SHOWN, _PAGE = "selection", "selection_shown", "page_opened"
_RUNS, _CHANGES, _MOVES = "runs_counted", "changes_counted", "moves_counted"
_UNWRITTEN = "addresses_unwritten"


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
    """Take the choices from the URL if it decides in this run, and write them into the URL.

    A run that was asked for before the browser had the URL of the run before has an old one. The first run writes
    nothing: the script in the page may not be there yet.
    """
    st.session_state[_SHOWN] = {}
    first = _CHOSEN not in st.session_state
    if first or moved_in_history():
        st.session_state[_CHOSEN] = _of_address()
    if first:
        return
    _count(_RUNS)
    if moved_in_history():
        _count(_MOVES)
        st.session_state.pop(_UNWRITTEN, None)
    _write()


def choose(**values: str | int) -> None:
    """Choose by names in the URL; for callbacks."""
    _change(_chosen() | _texts(values))


def correct(**values: str | int) -> None:
    """Choose by names in the URL what follows from another change; for a page, before its widgets are drawn."""
    _chosen().update(_texts(values))
    _write()


def forget(name: str) -> None:
    """Take a choice back: the page shows its first choice again; for callbacks."""
    _change({other: value for other, value in _chosen().items() if other != name})


def open_page(path: str) -> None:
    """Remember the page of this run; to go to another one is a change, but for Back and Forward.

    A link from page to page may name what the page that has it shows at first.
    """
    before = st.session_state.get(_PAGE, path)
    st.session_state[_PAGE] = path
    if before != path and not moved_in_history():
        st.session_state[_CHOSEN] = _of_address() | _chosen()
        _count(_CHANGES)
        _write()


def _change(chosen: dict[str, str]) -> None:
    """Make the choices those of one change, if they are others; a visitor who went back since made none."""
    if chosen != _chosen() and not moved_in_history():
        st.session_state[_CHOSEN] = chosen
        _count(_CHANGES)
        _write()


def _write() -> None:
    """Write the choices into the URL.

    Where the visitor has asked for another run meanwhile, Streamlit ends this one, or the callback, before the browser
    is told: then the next call writes this address first, so that none of several changes is lost.
    """
    counts = (st.session_state.get(name, 0) for name in (_RUNS, _CHANGES, _MOVES))
    mark = ".".join(map(str, (*counts, st.session_state.get(_PAGE, ""))))
    unwritten: list[dict[str, str]] = st.session_state.setdefault(_UNWRITTEN, [])
    unwritten.append(_chosen() | {MARK: mark})
    while unwritten:
        for name in NAMES:
            if name in st.query_params and name not in unwritten[0]:
                del st.query_params[name]
        st.query_params.update(unwritten[0])
        del unwritten[0]


def _count(name: str) -> None:
    st.session_state[name] = st.session_state.get(name, 0) + 1


def _texts(values: Mapping[str, str | int]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


@overload
def chosen(name: str) -> str: ...
@overload
def chosen(name: str, otherwise: None) -> str | None: ...
def chosen(name: str, otherwise: str | None = "") -> str | None:
    """Return a choice; ``otherwise`` without one: the page then shows its first choice."""
    return _chosen().get(name, otherwise)


def choices() -> dict[str, str]:
    """Return all choices, by names in the URL."""
    return dict(_chosen())


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
    found = {name: st.query_params[name] for name in NAMES if name in st.query_params}
    if classes := former_names.of_classes(st.query_params):
        found.pop(OTHER, None)
        found = classes | found
    for former in former_names.GATES:
        if former in st.query_params:
            found.setdefault(GATE, st.query_params[former])
    return found
