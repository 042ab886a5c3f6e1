"""Choices that are part of the URL; the page says where a URL asks for something that does not exist."""

from collections.abc import Sequence
from typing import Any, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from se_viz.ui.state import selection
from se_viz.ui.state.interrupted_runs import sent_again
from se_viz.ui.widgets import link_messages

T = TypeVar("T", bound=str)

_LISTED = 12


def choose(
    label: str,
    options: Sequence[T],
    key: str,
    *,
    at_first: int = 0,
    segmented: bool = False,
    message_in: DeltaGenerator | None = None,
    **drawn: Any,  # noqa: ANN401 - as Streamlit's widgets take them
) -> T:
    """Draw a choice with the key as its name in the URL, and return the option.

    Args:
        label: label of the widget.
        options: the options.
        key: key of the widget.
        at_first: index of the option at first.
        segmented: whether it is drawn as buttons side by side; otherwise as a list.
        message_in: where to say that a link asks for another option, if not here.
        drawn: further arguments of the widget, such as ``help`` and ``width``.
    """
    check(label.partition(":")[0], options, key, options[at_first], message_in)
    first = options[at_first]
    if segmented:
        chosen: T = st.segmented_control(
            label, options, default=first, key=sent_again(key), bind="query-params", required=True, **drawn
        )
    else:
        chosen = st.selectbox(label, options, index=at_first, key=sent_again(key), bind="query-params", **drawn)
    return chosen


def check(label: str, options: Sequence[str], key: str, shown: str, place: DeltaGenerator | None = None) -> None:
    """Say it, in the page or in ``place``, if the link asks for another option; ``shown`` is shown instead."""
    link_messages.repeat(key, place)
    if unknown := [asked for asked in link_messages.asked(key) if asked not in options]:
        listed = ", ".join(options[:_LISTED]) + (" …" if len(options) > _LISTED else "")
        only = f"there are only {listed}"
        link_messages.warn(key, f"{_in_sentence(label)} {', '.join(unknown)}", only, shown, place, shown)


def _in_sentence(label: str) -> str:
    """Return the label of a choice as it is written within a sentence."""
    return f"{label[:1].lower()}{label[1:]}"


def choose_or_keep(label: str, options: Sequence[T], key: str, *, drawn: bool, segmented: bool = False) -> T:
    """Return ``choose`` where the choice is drawn; where another tab draws it, the last choice, or that of the link."""
    if drawn:
        return choose(label, options, key, segmented=segmented)
    value = st.session_state.get(key, st.query_params.get(key))
    found = value if value in options else options[0]
    if found != options[0]:
        selection.note(key, found)  # for Copy link, as Streamlit takes it out of the URL
    return found


def kept_number(low: float, high: float, first: float, key: str) -> float:
    """Return the number of a slider that another tab draws: the last one, or that of the link."""
    value = st.session_state.get(key, st.query_params.get(key, ""))
    found = float(value) if _within(str(value), low, high) else first
    if found != first:
        selection.note(key, f"{found:g}")
    return found


def kept_channels(count: int, first: int, key: str) -> list[int]:
    """Return the channels of a choice that another tab draws: the last ones, or those of the link."""
    if key in st.session_state:
        return [int(one) for one in st.session_state[key]]
    asked = st.query_params.get_all(key)
    return [int(one) for one in asked if one.isascii() and one.isdigit() and int(one) < count] or [first]


def number(label: str, low: float, high: float, first: float, key: str, *, disabled: bool) -> float:
    """Draw a slider with the key as its name in the URL, and return the number."""
    link_messages.repeat(key)
    if wrong := [asked for asked in link_messages.asked(key) if not _within(asked, low, high)]:
        link_messages.warn(
            key,
            f"{_in_sentence(label)} {wrong[0]}",
            f"it is a number from {low:g} to {high:g}",
            f"{first:g}",
            value=first,
        )
    return st.slider(label, low, high, first, 0.01, key=sent_again(key), bind="query-params", disabled=disabled)


def channels(label: str, count: int, first: int, key: str) -> list[int]:
    """Draw a choice of channels with the key as its name in the URL, and return their numbers."""
    link_messages.repeat(key)
    if unknown := [
        one for one in link_messages.asked(key) if not (one.isascii() and one.isdigit() and int(one) < count)
    ]:
        link_messages.warn(key, f"channel {', '.join(unknown)}", f"there are channels 0 to {count - 1}", "what exists")
    found: list[int] = st.multiselect(label, range(count), default=[first], key=sent_again(key), bind="query-params")
    return found


def _within(text: str, low: float, high: float) -> bool:
    try:
        return low <= float(text) <= high
    except ValueError:
        return False
