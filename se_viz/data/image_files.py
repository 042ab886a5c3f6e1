"""The user's files (images, ZIP archives, folders) → images, and a sentence for each file left out."""

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
from se_viz.data.class_folders import labels_of_uploads
from se_viz.data.file_kinds import apart, format_of, label_of, left_out
from se_viz.data.folders import Contents, find_images
from se_viz.data.images import MAX_BYTES, ImageRefused, InputImage
from se_viz.data.pixels import Gone
from se_viz.data.rejected import Refused, shown
from se_viz.data.splits import Choice
from se_viz.data.untrusted import decode_files, unpack
from se_viz.data.zip_archive import is_archive, members
from se_viz.types import ShouldCancel

LIMIT = 64

_NamedFile: TypeAlias = tuple[str, Callable[[], BinaryIO]]


@former_names.with_former_fields
@dataclass(frozen=True)
class Intake:
    """Images in the order of their files, without duplicates, and a sentence for each file that was left out.

    ``unread`` is the number of files that were left out because the most images were read already. ``splits`` has a
    choice for each archive and folder that is split into train/, val/ or similar folders; one split of each is read.
    """

    images: tuple[InputImage, ...]
    refusals: tuple[str, ...]
    unread: int = 0
    splits: tuple[Choice, ...] = ()


def read(
    items: Iterable[tuple[str, bytes]],
    limit: int = LIMIT,
    *,
    trusted: bool = False,
    cancelled: ShouldCancel | None = None,
    split: str | None = None,
) -> Intake:
    """Decode uploads: names and bytes of images and of ZIP archives of images.

    An image in a folder of an archive is named from its class folder on, see ``class_folders``. Of several images with
    one name, all but the first get a number. Hidden files and those that systems create are skipped. A bad file never
    stops the others. After ``limit`` images nothing more is decoded, and a sentence says how many files were left out;
    an archive that was not opened counts as one file. Of an archive with more files than that, the first of each folder
    are read.

    Args:
        items: names, for files of a folder from ``class_folders.labels_of_uploads``, and contents; one at a time.
        limit: the most images that are read.
        trusted: whether to read the files in this process, without the time and memory limits of a child process; only
            for files that you trust.
        cancelled: called often, from several threads; when it returns True, the work and its child processes end.
        split: the split of an archive that is read, if it has some; None for validation, else test, else training.

    Raises:
        Gone: ``cancelled`` returned True.
    """
    labelled = ((label_of(name), content) for name, content in items)
    sources = ((label, partial(BytesIO, content)) for label, content in labelled if label)
    return _read(sources, limit, trusted, cancelled, split, [])


def read_paths(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    limit: int = LIMIT,
    *,
    trusted: bool = False,
    cancelled: ShouldCancel | None = None,
    split: str | None = None,
) -> Intake:
    """Decode files on this machine, and the images in folders, at any depth, sorted by path; see ``read``.

    An image from a folder is named from its class folder on. Other files, and hidden ones, are skipped silently;
    images of unsupported formats are counted in a sentence. A path that cannot be read gives a sentence. No file is
    read much beyond its limit. Of a folder or archive that is split into train/, val/ or similar folders, one split is
    read (``split``, see ``read``), and ``splits`` says which one.
    """
    listed = [paths] if isinstance(paths, str | os.PathLike) else paths
    notes: list[str] = []
    choices: list[Choice] = []
    sources = (source for path in listed for source in _sources(Path(path), notes, split, choices))
    intake = _read(sources, limit, trusted, cancelled, split, choices)
    return replace(intake, refusals=(*intake.refusals, *notes))


def _sources(path: Path, notes: list[str], split: str | None, choices: list[Choice]) -> Iterator[_NamedFile]:
    """Yield the file, or the images in the folder, of one split; add sentences on its other files to the notes."""
    contents = find_images(path) if _is_folder(path) else Contents()
    notes += contents.problems
    notes += left_out({suffix: count for suffix, count in contents.others.items() if format_of(suffix)})
    if not contents.images:
        yield shown(path.name), partial(_open, path)
    root = shown(path.resolve().name)
    labels, chosen, refusals = labels_of_uploads([f"{root}/{name}" for name in contents.images], split)
    choices += chosen
    notes += refusals
    for name, label in zip(contents.images, labels, strict=True):
        if label:
            yield label, partial(_open, path / name)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # opening it will report the error


def _open(path: Path) -> BinaryIO:
    """Open a file for reading; only a regular one, because opening a pipe waits for its writer."""
    if path.is_dir():
        raise FileNotFoundError(0, "there are no images in that folder")
    if not path.is_file():
        raise FileNotFoundError(0, "there is no such file")
    return path.open("rb")


def _read(
    sources: Iterable[_NamedFile],
    limit: int,
    trusted: bool,
    cancelled: ShouldCancel | None,
    split: str | None,
    choices: list[Choice],
) -> Intake:
    ended = Event()

    def is_cancelled() -> bool:
        return ended.is_set() or (cancelled is not None and cancelled())

    def decode_all(files: Sequence[tuple[str, bytes]]) -> list[Outcome]:
        _raise_if(is_cancelled)
        outcomes = decode_here(files) if trusted else decode_files(files, is_cancelled)
        return [named(outcome, label) for outcome, (label, _) in zip(outcomes, files, strict=True)]

    def add(label: str, source: Callable[[], BinaryIO]) -> None:
        """Add an image, or every member of an archive; only count it where the limit is reached."""
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
                of_archive = (
                    members(label, file, wanted=limit, split=split, choices=choices)
                    if trusted
                    else unpack(label, file, is_cancelled, limit, split, choices)
                )
                for member, content in of_archive:
                    if batches.is_full():
                        batches.left_out += 1
                    else:
                        batches.add(member, content)
        except Refused as refused:
            batches.reject(str(refused))
        except OSError as error:
            batches.reject(str(ImageRefused(label, f"{error.strerror}; check the path")))

    with Batches(decode_all, limit, 1 if trusted else MOST_FILES) as batches:
        try:
            for label, source in sources:
                _raise_if(is_cancelled)
                add(label, source)
            batches.finish()
        except BaseException:
            ended.set()
            raise
    names = apart(image.name for image in batches.images)
    images = (replace(image, name=name) for image, name in zip(batches.images, names, strict=True))
    if left_out := batches.left_out:
        files = "1 more file was" if left_out == 1 else f"{left_out} more files were"
        batches.refusals.append(f"{files} left out: at most {limit} {'image is' if limit == 1 else 'images are'} read.")
    return Intake(tuple(images), tuple(batches.refusals), batches.left_out, tuple(choices))


def _raise_if(cancelled: ShouldCancel) -> None:
    if cancelled():
        raise Gone
