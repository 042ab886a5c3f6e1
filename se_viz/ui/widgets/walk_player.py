"""The walk-through in the page: a component with HTML, CSS and JavaScript from this package."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from se_viz.analysis.walk import Walk
from se_viz.data.images import InputImage
from se_viz.model.model import Model
from se_viz.ui.component_files import joined
from se_viz.ui.state import presentation
from se_viz.ui.widgets import link_messages
from se_viz.ui.widgets.walk_payload import walk_payload

_KEY = "walk"


_player = st.components.v2.component(
    "se_viz_walk",
    html=joined("walk", "player.html"),
    css=joined("walk", "player.css"),
    js=joined("walk", "parts.js", "drawing.js", "player.js"),
)


def show(model: Model, image: InputImage, walk: Walk) -> tuple[int, int]:
    """Draw the walk-through, and return row and column of the pixel whose convolution is open.

    The script in the page owns the step and writes it to the URL; Python gives the step of the URL when the component
    is made.
    """
    identity = f"{model.key} {image.sha256} {walk.gate.name} {walk.channel}"
    pixel = _pixel(walk, identity)
    payload = walk_payload(walk, model.preprocess.center_crop(image.rgb), image.name, pixel)
    row, column = payload["pixel"]
    _check_step([step["key"] for step in payload["steps"]])
    _player(
        key=_KEY,
        data=payload | {"identity": identity, "step": st.query_params.get("step", ""), "present": presentation.is_on()},
        on_pixel_change=_nothing,
    )
    return row, column


def _check_step(keys: Sequence[str]) -> None:
    """Say so if the link asks for a step that does not exist; the script shows the first step instead."""
    if (step := next(iter(link_messages.asked("step")), "")) and step not in keys:
        link_messages.warn("step", f"step {step}", f"there are only {', '.join(keys)}", keys[0])
    else:
        link_messages.repeat("step")


def _pixel(walk: Walk, identity: str) -> tuple[int, int] | None:
    """Return the pixel that was opened for this channel, or that the URL names; None for the largest |U|."""
    state: dict[str, Any] = st.session_state.get(_KEY) or {}
    asked = state.get("pixel")
    if asked:
        at = asked["at"] if asked["of"] == identity else []
    else:
        at = [int(part) for part in st.query_params.get("pixel", "").split(",") if part.isascii() and part.isdigit()]
    height, width = walk.u.shape
    return (at[0], at[1]) if len(at) == 2 and at[0] < height and at[1] < width else None


def _nothing() -> None:
    """Take part in the protocol of components; a rerun reads the state itself."""
