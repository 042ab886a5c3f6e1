"""Class profiles that a session makes from its uploads: no other session sees them, and they end with the session."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import streamlit as st

from se_viz.data.dataset_sources import Dataset
from se_viz.data.images import InputImage
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import file_in
from se_viz.profiles.errors import ProfilesError
from se_viz.ui.server.limits import limits
from se_viz.ui.server.session_folders import FOLDERS, SessionFolder, bytes_below
from se_viz.ui.state.visitor import session_id

SHARD = 16  # images of a shard: Stop loses at most this many
_FOLDER = "session_folder"  # in the session
_BYTES = 310  # of a class and a channel in a file of class profiles, see ``profile``
_OF_IMAGE = 4  # bytes of s of one image and channel


def files(model: Model) -> list[Path]:
    """Return the files of the finished class profiles of a model that this session made."""
    made = _of_model(model) if _FOLDER in st.session_state else None
    if made is None or not made.is_dir():
        return []
    return sorted(path for path in map(file_in, made.iterdir()) if path.is_file())


def folder(model: Model, images: Iterable[InputImage]) -> Path:
    """Return the folder for the class profiles of images: another one for other files or other names of folders."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.sha256} {image.name}\n".encode())
    return _of_model(model) / digest.hexdigest()[:16]


def is_own(path: Path) -> bool:
    """Return whether a file of class profiles is in the folder of this session."""
    own: SessionFolder | None = st.session_state.get(_FOLDER)
    return own is not None and path.is_relative_to(own.path)


def check_profiles_limit(model: Model, dataset: Dataset, out: Path) -> None:
    """Make the folder of this session if there is space for the class profiles of a dataset.

    Args:
        model: the model.
        dataset: the images.
        out: the folder for its class profiles, where an unfinished pass may have left files.

    Raises:
        ProfilesError: this session, or all sessions, would have too many bytes of class profiles.
        WriteFailed: the folder cannot be made.
    """
    channels = sum(gate.channels for gate in model.gates)
    shards = -(-len(dataset) // SHARD)
    # The shards and the result are on the disk at once; a shard has the classes of its images.
    needed = (2 * len(dataset.classes) + shards) * channels * _BYTES + 2 * len(dataset) * channels * _OF_IMAGE
    most = limits()
    there = bytes_below(out)
    if _session_folder().bytes() - there + needed > most.session_profiles:
        raise ProfilesError(
            f"This server keeps at most {most.session_profiles / 1e6:,.0f} MB of class profiles for each visitor, and "
            f"these need about {needed / 1e6:,.0f} MB. Choose fewer folders, open the page again to remove the class "
            "profiles made before, or make them from a shell."
        )
    if FOLDERS.bytes() - there + needed > most.profiles:
        raise ProfilesError(
            f"This server keeps at most {most.profiles / 1e6:,.0f} MB of class profiles for all its visitors, and this "
            "limit is reached. Try again later, or make them from a shell."
        )
    _session_folder().make()


def _of_model(model: Model) -> Path:
    named = hashlib.sha256(f"{model.name} {model.precision}".encode())
    return _session_folder().path / named.hexdigest()[:16]


def _session_folder() -> SessionFolder:
    if _FOLDER not in st.session_state:
        st.session_state[_FOLDER] = FOLDERS.create(session_id())
    found: SessionFolder = st.session_state[_FOLDER]
    return found
