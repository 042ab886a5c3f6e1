"""The section that makes class profiles of folders on the server, with progress, Stop and Continue."""

import os
from functools import partial
from pathlib import Path

import streamlit as st

from se_viz.data.dataset_sources import dataset
from se_viz.data.split_names import meaning
from se_viz.model.model import Model
from se_viz.profiles.metadata import LabelSource
from se_viz.ui.state import data_folders
from se_viz.ui.state.profiles import folder, slug
from se_viz.ui.widgets import folder_profiles, profile_pass
from se_viz.ui.widgets.code_lines import head_options, shell_options
from se_viz.ui.widgets.image_picker import Chosen
from se_viz.ui.widgets.profile_pass import PassInput, Request

SHARD = 128  # images of a shard: Stop loses at most this many
_KIND = "server"  # of the images, in a request
_LABELS: dict[str, LabelSource] = {"folders": "given", "predictions": "predictions"}


def offer(model: Model, *, first: bool = False) -> None:
    """Draw the section that makes class profiles; a pass that was stopped continues where it was.

    It is not an expander, because the animation of an expander moves the buttons away from the pointer.
    """
    allowed = data_folders.allowed()
    if not allowed and not first:
        with st.popover("Make class profiles of your images", icon=":material/library_add:"):
            _elsewhere(model)
        return
    if not allowed:
        st.header("Or from a shell", anchor=False)
        _elsewhere(model)
        return
    st.header("Make class profiles of images on this server", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        place = st.selectbox("Folder", list(allowed), key="server_folder")
        by = st.segmented_control("Classes are", list(_LABELS), default="folders", key="server_labels", required=True)
    if profile_pass.requested(model) is None:
        ask = partial(_ask, profile_pass.named(model))
        profile_pass.offer(_out(model, allowed, place, by), SHARD, "Make", "make_server_profiles", ask)


def go_on(model: Model, chosen: Chosen) -> None:
    """Draw the pass that was requested, of uploaded folders or of one on the server, and run it to its end."""
    profile_pass.go_on(model, lambda choice: folder_profiles.source(model, chosen, choice) or _source(model, choice))


def _ask(model: str, restart: bool) -> None:
    """Record what to make; the choices are those of the moment of the click."""
    place, by = st.session_state["server_folder"], st.session_state["server_labels"]
    profile_pass.request(Request(model, (_KIND, place, by), place, restart))


def _source(model: Model, choice: tuple[str, ...]) -> PassInput | None:
    kind, place, *of_labels = choice
    allowed = data_folders.allowed()
    if kind != _KIND or place not in allowed:
        return None
    (by,) = of_labels
    return PassInput(
        about=f"Class profiles from {place}; classes are {by}.",
        out=_out(model, allowed, place, by),
        listed=partial(dataset, allowed[place]),
        labels=_LABELS[by],
        shard=SHARD,
    )


def _out(model: Model, allowed: dict[str, Path], place: str, by: str) -> Path:
    """Return the folder for the class profiles of a dataset."""
    names = {path: f"{path.parent.name} {path.name}" if meaning(path.name) else path.name for path in allowed.values()}
    data = allowed[place]
    name = names[data] if list(names.values()).count(names[data]) == 1 else str(data)
    return folder(model) / slug(f"{name} {'' if by == 'folders' else 'predicted'}")


def _elsewhere(model: Model) -> None:
    st.markdown("A command makes class profiles of any number of images in a folder, a ZIP archive or a list:")
    st.code(f"python -m se_viz profile {shell_options(model)}{head_options()} --data DIR --out PROFILES", language=None)
    st.markdown(
        f"This page can also read folders on the server, if the environment variable `{data_folders.DATA}` names them "
        f"(separated by `{os.pathsep}`). It is not set."
    )
