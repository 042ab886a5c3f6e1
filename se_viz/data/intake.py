"""What a person hands over (pictures, ZIP archives, folders) → pictures, and a sentence for everything left out."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeAlias

from se_viz.data.archives import is_archive, members
from se_viz.data.folders import Found, find_images
from se_viz.data.images import MAX_BYTES, ImageRefused, Picture, decode
from se_viz.data.names import apart, format_of, label_of, left_out
from se_viz.data.refusals import Refused, shown

LIMIT = 64

# Pillow decodes without the interpreter's lock.
_WORKERS = min(4, os.cpu_count() or 1)

_Source: TypeAlias = tuple[str, Callable[[], BinaryIO]]


@dataclass(frozen=True)
class Intake:
    """Pictures in the order they came, no two of the same file, and a sentence for each thing that was left out."""

    pictures: tuple[Picture, ...]
    refusals: tuple[str, ...]


def read(items: Iterable[tuple[str, bytes]], limit: int = LIMIT) -> Intake:
    """Decode uploads: name and bytes of pictures and of ZIP archives of pictures.

    A picture is named ``folder/base`` if it lay in a folder, of an archive or of the upload; of several of one name all
    but the first get a number. Hidden files and those that systems leave are skipped. One bad file never stops the
    others. After ``limit`` pictures nothing more is decoded; one sentence says how many files that leaves out, where
    an archive that was not opened counts as one.
    """
    named = ((label_of(name), content) for name, content in items)
    return _read(((label, partial(BytesIO, content)) for label, content in named if label), limit)


def read_paths(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], limit: int = LIMIT) -> Intake:
    """``read`` for a file on this machine or several, and for folders: their pictures at any depth, sorted by path.

    In a folder, files that are hidden or have no picture's suffix are skipped without a word, but for images of formats
    that are not read, which are counted; a picture from a folder is named ``folder/base``. A path that cannot be read
    costs a sentence, and no file is read much beyond its limit.
    """
    listed = [paths] if isinstance(paths, str | os.PathLike) else paths
    notes: list[str] = []
    intake = _read((source for path in listed for source in _sources(Path(path), notes)), limit)
    return replace(intake, refusals=(*intake.refusals, *notes))


def _sources(path: Path, notes: list[str]) -> Iterator[_Source]:
    """The file, or the pictures in the folder; what else is in it is added to the notes."""
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
        raise FileNotFoundError(0, "there are no pictures in that folder")
    if not path.is_file():
        raise FileNotFoundError(0, "there is no such file")
    return path.open("rb")


def _read(sources: Iterable[_Source], limit: int) -> Intake:
    with ThreadPoolExecutor(_WORKERS) as pool:
        desk = _Desk(pool, limit)
        for label, source in sources:
            if desk.full():
                desk.left_out += 1
                continue
            try:
                with source() as file:
                    desk.unwrap(label, file)
            except Refused as refused:
                desk.refuse(str(refused))
            except OSError as error:
                desk.refuse(str(ImageRefused(label, f"{error.strerror}; check the path")))
        return desk.close()


class _Desk:
    """Takes files one by one, has them decoded side by side, and keeps the results in the order of the files."""

    def __init__(self, pool: ThreadPoolExecutor, limit: int) -> None:
        self.left_out = 0
        self._pool = pool
        self._limit = limit
        self._waiting: list[Future[Picture] | str] = []
        self._pictures: dict[Picture, str] = {}
        self._refusals: list[str] = []

    def unwrap(self, label: str, file: BinaryIO) -> None:
        """Take a picture, or every member of an archive."""
        first = file.read(4)
        file.seek(0)
        if not is_archive(first):
            self._take(label, file.read(MAX_BYTES + 1))
            return
        for member, content in members(label, file):
            if self.full():
                self.left_out += 1
            else:
                self._take(member, content)

    def refuse(self, sentence: str) -> None:
        """Take a sentence, at the place of the file it is about."""
        self._waiting.append(sentence)

    def full(self) -> bool:
        """Whether there are ``limit`` pictures; waits for those being decoded if they may be the last."""
        if len(self._pictures) + len(self._waiting) >= self._limit or len(self._waiting) >= 2 * _WORKERS:
            self._settle()
        return len(self._pictures) >= self._limit

    def close(self) -> Intake:
        """Wait for the last pictures and hand over."""
        self._settle()
        if self.left_out:
            files = "1 more file was" if self.left_out == 1 else f"{self.left_out} more files were"
            self._refusals.append(f"{files} left out: {self._limit} pictures are the most that are taken at once.")
        names = apart(picture.name for picture in self._pictures)
        named = (replace(picture, name=name) for picture, name in zip(self._pictures, names, strict=True))
        return Intake(tuple(named), tuple(self._refusals))

    def _take(self, label: str, content: bytes) -> None:
        self._waiting.append(self._pool.submit(_decode, label, content))

    def _settle(self) -> None:
        for outcome in self._waiting:
            if isinstance(outcome, str):
                self._refusals.append(outcome)
                continue
            try:
                picture = outcome.result()
            except ImageRefused as refused:
                self._refusals.append(str(refused))
                continue
            if twin := self._pictures.get(picture):
                self._refusals.append(f"{picture.name} was left out: it is the same file as {twin}.")
            else:
                self._pictures[picture] = picture.name
        self._waiting.clear()


def _decode(label: str, content: bytes) -> Picture:
    """``decode`` for a file that is known by its folder too."""
    try:
        return replace(decode(label, content), name=label)
    except ImageRefused as refused:
        raise ImageRefused(label, refused.reason) from refused
