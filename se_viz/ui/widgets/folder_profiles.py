"""The offer to make class profiles of the uploaded folders: each folder is a class."""

import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from se_viz.data.dataset_sources import Dataset
from se_viz.data.image_files import LIMIT
from se_viz.data.images import InputImage
from se_viz.data.images_in_memory import from_images, in_folders
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles, file_in
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import session_profiles
from se_viz.ui.widgets import profile_pass, profiles_picker
from se_viz.ui.widgets.code_lines import head_options, shell_options
from se_viz.ui.widgets.image_picker import Chosen
from se_viz.ui.widgets.profile_pass import PassInput, Request

_KIND = "upload"  # of the images, in a request


def invitation(name: str, chosen: Chosen) -> str:
    """Return the first words of a page whose model has no class profiles: how to make them here."""
    folders = in_folders(chosen.images)
    if len(folders) > 1:
        return f"No class profiles for {name} yet. Your upload has {len(folders)} folders: make them from these."
    only = f" The uploaded images are in one folder, {next(iter(folders))}." if folders else ""
    return (
        f"No class profiles for {name} yet. Upload a ZIP archive with one folder of images for each class, or a folder "
        f"with such subfolders, and make them here.{only}"
    )


def offer(model: Model, chosen: Chosen, *, first: bool = False) -> None:
    """Draw the button that makes class profiles of the chosen images, if they are in two folders or more.

    Args:
        model: the model of the page.
        chosen: the images of the page.
        first: whether the model has no class profiles; the page then shows the command below in any case.
    """
    place = st.empty()  # removes the button at once, and not at the end of the pass that it starts
    folders = in_folders(chosen.images)
    if len(folders) < 2:
        return
    out = _out(model, chosen)
    asked = profile_pass.requested(model)
    if file_in(out).is_file() or (asked is not None and asked.source == _choice(out)):
        return
    with place.container():
        _offer(model, chosen, out, folders)
        if chosen.unread:
            _say_limit(model, chosen, first=first)


def _offer(model: Model, chosen: Chosen, out: Path, folders: Mapping[str, Sequence[InputImage]]) -> None:
    count = sum(map(len, folders.values()))
    images = "1 image" if count == 1 else f"{count} images"
    label = f"Make class profiles from these {len(folders)} folders ({images})"
    ask = partial(_ask, profile_pass.named(model), out, _dataset(chosen).name)
    profile_pass.offer(out, session_profiles.SHARD, label, "make_profiles", ask)


def _say_limit(model: Model, chosen: Chosen, *, first: bool) -> None:
    """Say that some images of the upload are not counted, and which command counts all."""
    st.caption(
        f"The page takes at most {LIMIT} images, here the first of each folder. "
        f"{'The command below' if first else 'A command'} counts all images{'.' if first else ':'}"
    )
    if not first:
        data = shlex.quote(f"./{chosen.uploads[0]}") if len(chosen.uploads) == 1 else "DIR"
        options = f"{shell_options(model)}{head_options()}"
        data += f" --split {shlex.quote(chosen.split)}" if chosen.split else ""
        st.code(f"python -m se_viz profile {options} --data {data} --out PROFILES", language=None)


def source(model: Model, chosen: Chosen, choice: tuple[str, ...]) -> PassInput | None:
    """Return the images of a request, if they are those that are chosen now."""
    if choice[0] != _KIND or len(in_folders(chosen.images)) < 2:
        return None
    out = _out(model, chosen)
    if choice != _choice(out):
        return None
    dataset = _dataset(chosen)

    def listed() -> Dataset:
        session_profiles.check_profiles_limit(model, dataset, out)
        return dataset

    return PassInput(
        about=f"Class profiles of {dataset.name}; classes are folders.",
        out=out,
        listed=listed,
        labels="given",
        shard=session_profiles.SHARD,
        keep_images=True,
        finished=profiles_picker.open_next,
    )


def say_counted(profiles: ClassProfiles) -> None:
    """Draw what was counted and left out, if this session made the class profiles from its upload."""
    if session_profiles.is_own(profiles.path):
        st.caption(escape_markdown(" ".join(profile_pass.account_of(profiles.path.parent))))


def _ask(model: str, out: Path, images: str, restart: bool) -> None:
    profile_pass.request(Request(model, _choice(out), images, restart))


def _choice(out: Path) -> tuple[str, ...]:
    return _KIND, out.name


def _out(model: Model, chosen: Chosen) -> Path:
    return session_profiles.folder(model, (image for listed in in_folders(chosen.images).values() for image in listed))


def _dataset(chosen: Chosen) -> Dataset:
    return from_images(chosen.images[: len(chosen.images) - len(chosen.samples)], chosen.left_out)
