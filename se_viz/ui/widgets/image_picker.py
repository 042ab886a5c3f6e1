"""The images of a session: what was uploaded, and samples so that the page is never empty."""

from dataclasses import dataclass, replace

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from se_viz.data import sample_images as samples
from se_viz.data.image_files import LIMIT, Intake, read
from se_viz.data.images import InputImage
from se_viz.data.names import apart, label_of
from se_viz.data.pixels import Gone
from se_viz.ui.state.image_budget import within_budget
from se_viz.ui.state.visitor import leaving
from se_viz.ui.widgets import notes

_TITLES = {sample.key: sample.title for sample in samples.SAMPLES}
_AT_FIRST = ("cat", "coffee", "temple", "flower")


@dataclass(frozen=True)
class Chosen:
    """The images as they are shown, and where they come from: uploaded files and folders by name, samples by key."""

    images: tuple[InputImage, ...]
    uploads: tuple[str, ...]
    samples: tuple[str, ...]


def drop() -> list[UploadedFile]:
    """The box that images are dropped into."""
    uploaded: list[UploadedFile] = st.file_uploader(
        f"Your images, or a ZIP of them (up to {LIMIT})",
        # Of any type: what is not read is told by name, and an iPhone converts its photos to JPEG if none is named.
        accept_multiple_files=True,
        key="upload",
        max_upload_size=50,
        help="JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF or PPM. They stay in the server's memory while this page is open, "
        "on no disk.",
    )
    return uploaded


def folder() -> list[UploadedFile]:
    """The same for a whole folder: browsers hand over files or a folder, not both."""
    uploaded: list[UploadedFile] = st.file_uploader(
        # Of any type: of one that is not named a browser shows each file in red, those that macOS hides, too.
        "A folder of images",
        accept_multiple_files="directory",
        key="upload_folder",
        max_upload_size=50,
    )
    return sorted(uploaded, key=lambda file: file.name)  # as read_paths sorts a folder


def sample_keys() -> list[str]:
    """Which sample photographs to show; their keys live in the address."""
    st.session_state.setdefault("samples", _from_address())
    keys: list[str] = st.multiselect(
        "Sample photographs", list(_TITLES), format_func=_TITLES.__getitem__, key="samples", on_change=_to_address
    )
    if keys:
        licences = "; ".join(f"{sample.title}: {sample.licence}" for sample in samples.SAMPLES if sample.key in keys)
        st.caption(f"{licences}.")
    return keys


def _from_address() -> list[str]:
    """An empty list is a choice; nothing or nonsense is none."""
    named = st.query_params.get("samples")
    known = [key for key in (named or "").split(",") if key in _TITLES]
    return known if known or named == "" else list(_AT_FIRST)


def _to_address() -> None:
    st.query_params["samples"] = ",".join(st.session_state["samples"])


def gather(uploaded: list[UploadedFile], keys: list[str]) -> Chosen:
    """Uploads first, then samples; what was refused or left out is said."""
    uploaded = [file for file in uploaded if label_of(file.name)]
    intake = _decoded(uploaded)
    notes.warn(intake.refusals, "left_out")
    found = (*intake.images, *map(samples.sample, keys))
    names = apart(image.name for image in found)
    images = tuple(
        image if image.name == name else replace(image, name=name) for image, name in zip(found, names, strict=True)
    )
    if len(images) > LIMIT:
        st.warning(f"{len(images) - LIMIT} sample photographs are left out: {LIMIT} images are shown at most.")
        keys = keys[: LIMIT - len(intake.images)]
    # A folder by its own name, as from Python.
    uploads = dict.fromkeys(file.name.replace("\\", "/").partition("/")[0] for file in uploaded)
    return Chosen(images[:LIMIT], tuple(uploads), tuple(keys))


def _decoded(uploaded: list[UploadedFile]) -> Intake:
    """Decode uploads once: a rerun with the same files finds them in the session."""
    identity = tuple(file.file_id for file in uploaded)
    kept: tuple[tuple[str, ...], Intake] | None = st.session_state.get("intake")
    if kept is None or kept[0] != identity:
        # Before others come: both would count.
        kept = st.session_state["intake"] = None
        with st.spinner("Reading images …", show_time=True):
            try:
                found = read(((file.name, file.getvalue()) for file in uploaded), cancelled=leaving())
            except Gone:
                st.stop()
            kept = (identity, within_budget(found))
        st.session_state["intake"] = kept
    return kept[1]
