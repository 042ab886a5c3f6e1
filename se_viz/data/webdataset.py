"""Tar files of images, as WebDataset writes them, and ZIP archives of class folders, with random access.

A sample consists of the members that share a name up to the first dot: ``0001.jpg`` and ``0001.cls``. Its label is the
text of ``.cls``, or "label" or "cls" in ``.json``; without either, the name of the folder that contains the image.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

from se_viz.data.class_folders import common_folders
from se_viz.data.class_splits import NOWHERE, FolderPlace, place_of
from se_viz.data.file_kinds import SUFFIXES, is_clutter
from se_viz.data.images import MAX_BYTES
from se_viz.data.member_paths import member_path
from se_viz.data.tar_members import TarMember, TarRefused, members_of, said_of_repeated
from se_viz.data.zip_archive import directory, read_member

__all__ = ["Sample", "TarRefused", "ZipSample", "samples", "samples_of_zip"]

_MAX_LABEL_BYTES = 1_000_000
_SEVERAL = "\0several"


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of an archive: its name, its label as written, the position of its bytes, its place among folders."""

    name: str
    label: str | None
    tar: Path
    offset: int
    size: int
    place: FolderPlace = NOWHERE

    def in_split(self) -> "Sample":
        """Return the sample with its label within its split."""
        return replace(self, label=self.place.below)

    def read(self) -> bytes:
        """Return the image's bytes, at most one more than allowed."""
        with self.tar.open("rb") as file:
            file.seek(self.offset)
            return file.read(min(self.size, MAX_BYTES + 1))


@dataclass(frozen=True, slots=True)
class ZipSample(Sample):
    """One image of a ZIP archive, which ``tar`` names."""

    member: ZipInfo = field(default_factory=ZipInfo)

    def read(self) -> bytes:
        """Return the image's bytes, at most one more than allowed.

        Raises:
            ArchiveRefused: the member is damaged.
            OSError: the archive cannot be read.
        """
        with self.tar.open("rb") as file:
            return read_member(file, self.member, MAX_BYTES + 1)


def samples_of_zip(path: Path) -> tuple[list[Sample], Mapping[str, int], list[str]]:
    """List the images of a ZIP archive, sorted by name, and count other files.

    The label of an image is its outermost folder, as in the folder that was packed, below a folder that contains all
    images: ``cats`` for ``cats/a/1.jpg``, and for ``pets/cats/1.jpg`` if all are in ``pets``.

    Of several files of one name the last one counts, as unpacking the archive would leave it.

    Returns:
        The images; suffix → number of files that are not images; and a sentence if names occur more than once.

    Raises:
        ArchiveRefused: it is no ZIP archive, or cannot be read.
        OSError: the file cannot be read.
    """
    others: Counter[str] = Counter()
    images: list[tuple[PurePosixPath, ZipInfo]] = []
    listed = [(member_path(member.filename), member) for member in directory(path)]
    last = dict(listed)
    for inner_path, member in last.items():
        if any(map(is_clutter, inner_path.parts)):
            continue
        if inner_path.suffix.lower() in SUFFIXES:
            images.append((inner_path, member))
        else:
            others[inner_path.suffix.lower()] += 1
    around = common_folders([inner_path.parent.parts for inner_path, _ in images])
    found: list[Sample] = []
    for inner_path, member in images:
        folders = inner_path.parent.parts
        place = place_of(folders)
        label = folders[around] if len(folders) > around else None
        found.append(
            ZipSample(
                *(str(inner_path), label, path, member.header_offset, member.file_size),
                place,
                member=member,
            )
        )
    return found, others, said_of_repeated(len(listed) - len(last), path)


def samples(paths: Sequence[Path]) -> tuple[list[Sample], Mapping[str, int], list[str]]:
    """List the images of uncompressed tar files, in the order of the files and their members, and count other files.

    Returns:
        The images; suffix → number of files that are neither images nor labels; and sentences on what is unusual.

    Raises:
        TarRefused: a file is compressed, cut short, or not a tar file.
    """
    others: Counter[str] = Counter()
    notes: list[str] = []
    return [sample for path in paths for sample in _of_one(path, others, notes)], others, notes


def _of_one(path: Path, others: Counter[str], notes: list[str]) -> Iterator[Sample]:
    images: list[tuple[str, TarMember]] = []
    labels: dict[str, str] = {}
    several = 0
    members, said = members_of(path)
    notes += said
    with path.open("rb") as file:
        for member in members:
            inner_path = member_path(member.name)
            stem, _, ending = inner_path.name.partition(".")
            if any(map(is_clutter, inner_path.parts)):
                continue
            key, suffix = str(inner_path.with_name(stem)), inner_path.suffix.lower()
            if suffix in SUFFIXES:
                images.append((key, member))
            elif ending.lower() in ("cls", "json") and member.size <= _MAX_LABEL_BYTES:
                file.seek(member.offset)
                written = _label(ending.lower(), file.read(member.size))
                several += written == _SEVERAL
                if written and written != _SEVERAL:
                    labels[key] = written
            else:
                others[suffix] += 1
    if several:
        some = "1 label is not one class and was" if several == 1 else f"{several:,} labels are not one class and were"
        notes.append(f"In {path.name} {some} left out.")
    for key, member in images:
        folders, label = PurePosixPath(member.name).parent.parts, labels.get(key)
        place = place_of(folders)
        yield Sample(
            f"{path.name}/{member.name}",
            label or (folders[-1] if folders else None),
            path,
            member.offset,
            member.size,
            place._replace(below=label or place.below),
        )


def _label(ending: str, content: bytes) -> str:
    """Return the label that a file holds; "" without one, and _SEVERAL for one that is not a single class."""
    text = content.decode(errors="replace").strip()
    if ending == "cls":
        return text
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    label = fields.get("label", fields.get("cls")) if isinstance(fields, dict) else None
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if label is None or isinstance(label, str | int):
        return "" if label is None else str(label)
    return _SEVERAL
