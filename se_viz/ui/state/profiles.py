"""Class profiles of the loaded model: bundled ones, ones made on this server, and those of this session."""

import hashlib
import os
import re
from operator import attrgetter
from pathlib import Path

import streamlit as st

from se_viz import former_names
from se_viz.model.model import Model
from se_viz.profiles.bundled import folder as shipped_folder
from se_viz.profiles.bundled import path as shipped_path
from se_viz.profiles.class_profiles import ClassProfiles, file_in, open_profiles
from se_viz.profiles.errors import ProfilesError
from se_viz.ui.state import models, session_profiles

KEPT = "SE_VIZ_PROFILES"
_LONGEST = 80  # characters of a folder name


def profiles_of(model: Model) -> tuple[dict[str, ClassProfiles], list[str]]:
    """Return the class profiles of a model by name, and a sentence for each file that cannot be read."""
    paths = [path for path in [shipped_path(model.name)] if path.is_file()]
    made = folder(model)
    paths += sorted(path for path in map(file_in, made.iterdir()) if path.is_file()) if made.is_dir() else []
    paths += session_profiles.files(model)
    all_profiles: dict[str, ClassProfiles] = {}
    unread: list[str] = []
    for path in paths:
        # Bundled profiles were made in fp32, profiles of this page in the precision of the model.
        reference = models.exact(model) if path.parent == shipped_folder() else model
        try:
            opened = _open_own if session_profiles.is_own(path) else _open
            profiles = opened(str(path), path.stat().st_mtime, reference)
        except ProfilesError as error:
            unread.append(str(error))
            continue
        name = _named(profiles)
        # The same images may have been counted twice, so names may be equal; folders differ.
        all_profiles[name if name not in all_profiles else f"{name} ({path.parent.name})"] = profiles
    return all_profiles, unread


def _named(profiles: ClassProfiles) -> str:
    said = " + ".join(source.name for source in profiles.header.sources)
    by = ", by prediction" if profiles.header.labels == "predictions" else ""
    return f"{said}, {int(profiles.counts.sum()):,} images{by}"


@st.cache_resource(max_entries=16, show_spinner="Opening the class profiles …", hash_funcs={Model: attrgetter("key")})
def _open(path: str, changed: float, model: Model) -> ClassProfiles:
    del changed  # part of the key: a file that was written again is opened again
    return open_profiles(path, model)


# Of the session, so that the file is closed when the session ends and its folder is removed.
@st.cache_resource(scope="session", max_entries=8, show_spinner=False, hash_funcs={Model: attrgetter("key")})
def _open_own(path: str, changed: float, model: Model) -> ClassProfiles:
    del changed
    return open_profiles(path, model)


def tag(profiles: ClassProfiles) -> str:
    """Return a suffix for widget keys, so that each set of class profiles has its own choice of classes."""
    return "" if profiles.path.parent == shipped_folder() else f"_{profiles.path.parent.name}"


def folder(model: Model) -> Path:
    """Return the folder of the class profiles of a model that were made on this page; each set has a subfolder."""
    return _base() / slug(model.name)


def _base() -> Path:
    """Return the folder of all class profiles; the folder of an older SE Viz is used if there is no new one."""
    named = os.environ.get(KEPT) or os.environ.get(former_names.VARIABLE)
    cache = Path.home() / ".cache" / "se-viz"
    former = cache / former_names.FOLDER
    return (
        Path(named)
        if named
        else former
        if former.is_dir() and not (cache / "profiles").exists()
        else cache / "profiles"
    )


def slug(name: str) -> str:
    """Return a name as a folder name; file systems allow 255 bytes."""
    short = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.") or "unnamed"
    if len(short) <= _LONGEST:
        return short
    return f"{short[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
