"""The images of a session: uploads, and sample images so that the page is not empty at first."""

from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from se_viz.data import sample_images
from se_viz.data.class_folders import folder_of, labels_of_uploads
from se_viz.data.file_kinds import apart, in_turn, label_of
from se_viz.data.image_files import LIMIT, Intake, read
from se_viz.data.images import InputImage
from se_viz.data.pixels import Gone
from se_viz.data.splits import choose, group
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import selection
from se_viz.ui.state.image_budget import within_budget
from se_viz.ui.state.selection import SAMPLES
from se_viz.ui.state.visitor import leaving
from se_viz.ui.widgets import link_messages, notes

_TITLES = {sample.key: sample.title for sample in sample_images.SAMPLES}
_UPLOADS = "uploads"  # in the URL: the number of uploaded images
_AT_FIRST = ("golfball", "cat", "coffee", "temple")  # a demo model knows the first one


@dataclass(frozen=True)
class Chosen:
    """The images that are shown, and their origin.

    Attributes:
        images: uploads first, then samples.
        uploads: names of uploaded files and folders.
        samples: keys of samples.
        left_out: a sentence for each uploaded file that was left out.
        unread: number of uploaded files that were not read, because there are more than the page shows.
        split: the split that the user chose; None for the one that is taken first.
    """

    images: tuple[InputImage, ...]
    uploads: tuple[str, ...]
    samples: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    unread: int = 0
    split: str | None = None


def drop() -> list[UploadedFile]:
    """Draw the uploader for images, and return the files."""
    uploaded: list[UploadedFile] = st.file_uploader(
        f"Your images, or a ZIP archive of them (up to {LIMIT})",
        # All types: a warning names files that are not images, and an iPhone converts photos to JPEG if no type is set.
        accept_multiple_files=True,
        key="upload",
        max_upload_size=50,
        help="JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF or PPM. Images stay in the server's memory while this page is "
        "open, and are not stored on disk.",
    )
    return uploaded


def folder() -> list[UploadedFile]:
    """Draw the uploader for a folder, and return its files; a browser dialog takes files or a folder, not both."""
    uploaded: list[UploadedFile] = st.file_uploader(
        # All types: if types were set, each other file would be shown in red, including the hidden files of macOS.
        "A folder of images",
        accept_multiple_files="directory",
        key="upload_folder",
        max_upload_size=50,
    )
    return sorted((file for file in uploaded if label_of(file.name)), key=lambda file: file.name)  # as read_paths sorts


def sample_keys(problem: DeltaGenerator, *, has_uploads: bool = False) -> list[str]:
    """Draw the choice of sample images, and return their keys, which are part of the URL.

    The first samples go when an upload comes. A link does not say so: it lacks the upload, and opens with samples.

    Args:
        problem: where to say that a link asks for samples that do not exist.
        has_uploads: whether there are images of the user.
    """
    link_messages.repeat(SAMPLES, problem)
    gone = has_uploads and selection.chosen(SAMPLES, None) is None
    asked = [] if gone else _asked(problem)
    st.session_state[SAMPLES] = asked  # in every run: see ui/state/interrupted_runs.py
    keys: list[str] = st.multiselect(
        "Samples", list(_TITLES), format_func=_TITLES.__getitem__, key=SAMPLES, on_change=_choose
    )
    if not gone:
        selection.note(SAMPLES, ",".join(keys))
    if keys:
        licences = "; ".join(
            f"{sample.title}: {sample.licence}" for sample in sample_images.SAMPLES if sample.key in keys
        )
        st.caption(f"{licences}.")
    return keys


def _asked(problem: DeltaGenerator) -> list[str]:
    """Return the samples that were chosen: an empty list is a choice; without a valid list, the first samples."""
    named = selection.chosen(SAMPLES, None)
    known = [key for key in (named or "").split(",") if key in _TITLES]
    found = known if known or named == "" else list(_AT_FIRST)
    unknown = ", ".join(
        key for asked in link_messages.asked(SAMPLES) for key in asked.split(",") if key and key not in _TITLES
    )
    shown = ", ".join(_TITLES[key] for key in found)
    if unknown:
        link_messages.warn(SAMPLES, f"samples {unknown}", f"there are only {', '.join(_TITLES)}", shown, problem)
    return found


def _choose() -> None:
    selection.choose(**{SAMPLES: ",".join(st.session_state[SAMPLES])})


def decoded(uploaded: list[UploadedFile]) -> Intake:
    """Return the decoded uploads; show a warning about files that were refused or left out."""
    intake = _decoded([file for file in uploaded if label_of(file.name)], _asked_split(uploaded))
    notes.warn(intake.refusals, "left_out")
    return intake


def choose_split(uploaded: list[UploadedFile], intake: Intake) -> None:
    """Say which split of the uploads was taken, if they have splits, and draw the choice of another one."""
    if not intake.splits:
        return
    counts: dict[str, int] = {}
    names: dict[str, str] = {}
    for choice in intake.splits:
        for name, count in choice.splits.items():
            kind = group(name)
            counts[kind] = counts.get(kind, 0) + count
            names.setdefault(kind, name)
    listed = sorted(names, key=names.__getitem__)
    if len(listed) > 1:
        st.selectbox(
            "Split",
            listed,
            index=listed.index(group(intake.splits[0].chosen)),
            format_func=lambda kind: f"{names[kind]} ({counts[kind]:,} {'image' if counts[kind] == 1 else 'images'})",
            key=_split_key(uploaded),
        )
    how = "choose another at Split" if len(listed) > 1 else "it has no other"
    st.caption(escape_markdown(" ".join(said for choice in intake.splits for said in choice.sentences(how))))


def _split_key(uploaded: list[UploadedFile]) -> str:
    """Return the key of the choice of a split, another one for other uploads, which may have other splits."""
    return f"split_{hash(tuple(file.file_id for file in uploaded))}"


def _asked_split(uploaded: list[UploadedFile]) -> str | None:
    asked: str | None = st.session_state.get(_split_key(uploaded))
    return asked


def gather(uploaded: list[UploadedFile], intake: Intake, keys: list[str]) -> Chosen:
    """Return uploads first, then samples."""
    candidates = (*intake.images, *map(sample_images.sample, keys))
    names = apart(image.name for image in candidates)
    images = tuple(
        image if image.name == name else replace(image, name=name)
        for image, name in zip(candidates, names, strict=True)
    )
    if len(images) > LIMIT:
        st.warning(f"{len(images) - LIMIT} sample images are left out: at most {LIMIT} images are shown.")
        keys = keys[: LIMIT - len(intake.images)]
    _tell_uploads(len(intake.images))
    # An uploaded folder is listed by its name, as in Python.
    names_of_files = (file.name for file in uploaded if label_of(file.name))
    uploads = dict.fromkeys(name.replace("\\", "/").partition("/")[0] for name in names_of_files)
    split = _asked_split(uploaded)
    if split is not None and all(
        split == group(choose(choice.splits, None, choice.called)) for choice in intake.splits
    ):
        split = None  # as without a choice
    return Chosen(images[:LIMIT], tuple(uploads), tuple(keys), intake.refusals, intake.unread, split)


def _tell_uploads(count: int) -> None:
    """Write the number of uploaded images into the URL; say so where a link was made with uploads, which it lacks."""
    lacking = st.session_state.setdefault("uploads_of_link", next(iter(link_messages.asked(_UPLOADS)), None))
    if count:
        st.query_params[_UPLOADS] = str(count)
    elif _UPLOADS in st.query_params:
        del st.query_params[_UPLOADS]
    if lacking and not count:
        images = "an uploaded image" if lacking == "1" else f"{lacking[:6]} uploaded images"
        st.info(escape_markdown(f"This link was made with {images}, which it does not contain."))


def _decoded(uploaded: list[UploadedFile], split: str | None) -> Intake:
    """Return the decoded uploads; a rerun with the same files and the same split takes them from the session."""
    identity = (*(file.file_id for file in uploaded), split or "")
    kept: tuple[tuple[str, ...], Intake] | None = st.session_state.get("intake")
    if kept is None or kept[0] != identity:
        # Cleared before others are decoded: both would count towards the budget.
        kept = st.session_state["intake"] = None
        with st.spinner("Reading images …", show_time=True):
            try:
                labels, choices, refusals = labels_of_uploads([file.name for file in uploaded], split)
                named = ((label, file.getvalue()) for label, file in _in_turn(labels, uploaded))
                intake = read(named, cancelled=leaving(), split=split)
                intake = replace(intake, refusals=(*intake.refusals, *refusals), splits=(*intake.splits, *choices))
            except Gone:
                st.stop()
            kept = (identity, within_budget(intake))
        st.session_state["intake"] = kept
    return kept[1]


def _in_turn(labels: list[str], uploaded: list[UploadedFile]) -> list[tuple[str, UploadedFile]]:
    """Return the files that have labels: single files, then those of folders, the first of each folder before others.

    See ``file_kinds.in_turn``.
    """
    named = [(label, file) for label, file in zip(labels, uploaded, strict=True) if label]
    single = [pair for pair in named if not folder_of(label_of(pair[1].name))]
    of_folders = [pair for pair in named if folder_of(label_of(pair[1].name))]
    return [*single, *(of_folders[index] for index in in_turn([label for label, _ in of_folders], LIMIT))]
