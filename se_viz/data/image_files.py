"""What a person hands over (images, ZIP archives, folders) → images, and a sentence for everything left out."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import BinaryIO, TypeAlias

from se_viz import former_names
from se_viz.data.batches import MOST_FILES, Batches, Outcome, decode_here, named
from se_viz.data.folders import Found, find_images
from se_viz.data.images import MAX_BYTES, ImageRefused, InputImage
from se_viz.data.names import apart, format_of, label_of, left_out
from se_viz.data.pixels import Gone, ShouldCancel
from se_viz.data.rejected import Refused, shown
from se_viz.data.untrusted import decode_files, unpack
from se_viz.data.zip_archive import is_archive, members

LIMIT = 64

_Source: TypeAlias = tuple[str, Callable[[], BinaryIO]]


@former_names.with_former_fields
@dataclass(frozen=True)
class Intake:
    """Images in the order they came, no two of the same file, and a sentence for each thing that was left out."""

    images: tuple[InputImage, ...]
    refusals: tuple[str, ...]


def read(
    items: Iterable[tuple[str, bytes]],
    limit: int = LIMIT,
    *,
    trusted: bool = False,
    cancelled: ShouldCancel | None = None,
) -> Intake:
    """Decode uploads: name and bytes of images and of ZIP archives of images.

    An image is named ``folder/base`` if it lay in a folder, of an archive or of the upload; of several of one name all
    but the first get a number. Hidden files and those that systems leave are skipped. One bad file never stops the
    others. After ``limit`` images nothing more is decoded; one sentence says how many files that leaves out, where
    an archive that was not opened counts as one.

    Args:
        items: names and contents.
        limit: images that are taken at most.
        trusted: read them in this process, for files of your own: no child process with limits of time and memory.
        cancelled: asked often, from several threads; True ends the work and its child processes.

    Raises:
        Gone: ``cancelled`` said so.
    """
    labelled = ((label_of(name), content) for name, content in items)
    sources = ((label, partial(BytesIO, content)) for label, content in labelled if label)
    return _read(sources, limit, trusted, cancelled)


def read_paths(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    limit: int = LIMIT,
    *,
    trusted: bool = False,
    cancelled: ShouldCancel | None = None,
) -> Intake:
    """``read`` for a file on this machine or several, and for folders: their images at any depth, sorted by path.

    In a folder, files that are hidden or have no image's suffix are skipped without a word, but for images of formats
    that are not read, which are counted; an image from a folder is named ``folder/base``. A path that cannot be read
    costs a sentence, and no file is read much beyond its limit.
    """
    listed = [paths] if isinstance(paths, str | os.PathLike) else paths
    notes: list[str] = []
    sources = (source for path in listed for source in _sources(Path(path), notes))
    intake = _read(sources, limit, trusted, cancelled)
    return replace(intake, refusals=(*intake.refusals, *notes))


def _sources(path: Path, notes: list[str]) -> Iterator[_Source]:
    """The file, or the images in the folder; what else is in it is added to the notes."""
    found = find_images(path) if _is_folder(path) else Found()
    notes += found.problems
    notes += left_out({suffix: count for suffix, count in found.others.items() if format_of(suffix)})
    if not found.images:
        yield shown(path.name), partial(_open, path)
    for name in found.images:
        file = path / name
        yield f"{shown(file.parent.name)}/{shown(file.name)}", partial(_open, file)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # opening it will say why


def _open(path: Path) -> BinaryIO:
    """The file for reading; only a regular one, because opening a pipe waits for its writer."""
    if path.is_dir():
        raise FileNotFoundError(0, "there are no images in that folder")
    if not path.is_file():
        raise FileNotFoundError(0, "there is no such file")
    return path.open("rb")


def _read(sources: Iterable[_Source], limit: int, trusted: bool, cancelled: ShouldCancel | None) -> Intake:
    ended = Event()

    def gone() -> bool:
        return ended.is_set() or (cancelled is not None and cancelled())

    def decode_all(files: Sequence[tuple[str, bytes]]) -> list[Outcome]:
        _raise_if(gone)
        outcomes = decode_here(files) if trusted else decode_files(files, gone)
        return [named(outcome, label) for outcome, (label, _) in zip(outcomes, files, strict=True)]

    with Batches(decode_all, limit, 1 if trusted else MOST_FILES) as batches:
        try:
            for label, source in sources:
                _raise_if(gone)
                _take(label, source, batches, trusted, gone)
            batches.finish()
        except BaseException:
            ended.set()
            raise
    names = apart(image.name for image in batches.images)
    images = (replace(image, name=name) for image, name in zip(batches.images, names, strict=True))
    if left_out := batches.left_out:
        files = "1 more file was" if left_out == 1 else f"{left_out} more files were"
        batches.refusals.append(f"{files} left out: {limit} images are the most that are taken at once.")
    return Intake(tuple(images), tuple(batches.refusals))


def _raise_if(gone: ShouldCancel) -> None:
    if gone():
        raise Gone


def _take(label: str, source: Callable[[], BinaryIO], batches: Batches, trusted: bool, cancelled: ShouldCancel) -> None:
    """Take an image, or every member of an archive, or count it where there are enough."""
    if batches.is_full():
        batches.left_out += 1
        return
    try:
        with source() as file:
            first = file.read(4)
            file.seek(0)
            if not is_archive(first):
                batches.add(label, file.read(MAX_BYTES + 1))
                return
            for member, content in members(label, file) if trusted else unpack(label, file, cancelled):
                if batches.is_full():
                    batches.left_out += 1
                else:
                    batches.add(member, content)
    except Refused as refused:
        batches.reject(str(refused))
    except OSError as error:
        batches.reject(str(ImageRefused(label, f"{error.strerror}; check the path")))
