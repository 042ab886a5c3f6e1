"""Images that class profiles name, where the folders of ``SE_VIZ_DATA`` have them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import streamlit as st
from PIL import Image

from se_viz.data.folders import subfolders
from se_viz.data.images import MAX_BYTES, ImageRefused, decode
from se_viz.ui.state.data_folders import allowed


@st.cache_data(max_entries=256, show_spinner=False)
def find(name: str, sha256: str) -> Image.Image | None:
    """Return the pixels of an image of a dataset on the server, or None if no folder has it.

    The name comes from a file that others may have made: only an image below an allowed folder is read, and only one
    with this sha256 is shown.
    """
    for root in _roots():
        path = (root / name).resolve()
        if not path.is_relative_to(root.resolve()) or not path.is_file() or path.stat().st_size > MAX_BYTES:
            continue
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == sha256:
            try:
                return decode(path.name, content).rgb
            except ImageRefused:
                return None
    return None


def _roots() -> Iterator[Path]:
    """Yield the folders to which names may be relative: those that are allowed, and their splits."""
    for path in allowed().values():
        if path.is_dir():
            yield path
            yield from (path / name for name in subfolders(path))
