"""A ZIP of images → its members, with bounds that are checked before anything is unpacked.

Nothing is written to the disk, so a member's path is only a label. The bounds hold for two reasons. The whole directory
is checked first: if its members do not overlap and each stays below the ratio, so does the archive. And no more of a
member is read than the directory declares.
"""

import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from se_viz.data.class_folders import labels_of_one_split
from se_viz.data.file_kinds import in_turn
from se_viz.data.images import MAX_BYTES
from se_viz.data.rejected import DatasetRefused, Refused, lower, shown
from se_viz.data.splits import Choice

_CENTRAL_HEADER = b"PK\x01\x02"
_LOCAL_HEADER_BYTES = 30
_LOCKED = 0x1
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """The limits of an archive.

    Attributes:
        files: members.
        entries: members, with the folders and the hidden files that systems add, which are skipped.
        total: bytes of the archive, and of all members unpacked.
        member: bytes of a member, unpacked.
        ratio: bytes of a member unpacked, for each byte in the archive.
    """

    files: int = 1000
    entries: int = 10_000
    total: int = 300_000_000
    member: int = MAX_BYTES
    ratio: int = 100


LIMITS = ArchiveLimits()
_OF_DATASETS = ArchiveLimits(entries=2_000_000, total=sys.maxsize)
_MOST_PACKED = 2  # bytes in the archive that a byte of a member can take; deflate adds at most five for each 16 kB
_DAMAGED = "it is damaged in the archive; pack the archive again"


class ArchiveRefused(Refused):
    """An archive, or a member of one, was refused."""


def is_archive(content: bytes) -> bool:
    """Return whether these are the first bytes (4 are enough) of a ZIP archive."""
    return content.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def members(
    name: str,
    content: bytes | BinaryIO,
    limits: ArchiveLimits = LIMITS,
    wanted: int | None = None,
    split: str | None = None,
    choices: list[Choice] | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Unpack a ZIP archive in memory, member by member, in the archive's order.

    Folders, hidden files and those that systems create (``__MACOSX``, ``Thumbs.db``) are skipped. An archive inside the
    archive is a member like any other: it is not opened, and ``images.decode`` refuses it by name.

    Args:
        name: the name of the archive.
        content: its bytes, or a seekable file.
        limits: an archive beyond them is refused before anything is unpacked.
        wanted: number of members that are read; of more members, those of all folders in turn come first, see
            ``file_kinds.in_turn``.
        split: the split whose members are read if there are several, see ``class_folders.labels_of_one_split``.
        choices: the choice of the split is added to this list before the first member.

    Yields:
        A label and the member's bytes. The label is the path from the class folder on, see ``class_folders``.

    Raises:
        ArchiveRefused: before the first member if the archive as a whole is refused; after the last one if members
            are damaged, while all others were yielded.
    """
    name = shown(name)
    damaged = []
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    for label, unpacked in _each(name, file, 0, limits, wanted, split, [] if choices is None else choices):
        if unpacked is None:
            damaged.append(label)
        else:
            yield label, unpacked
    raise_damaged(name, damaged)


def part(
    name: str, source: bytearray | str, start: int, most: int, wanted: int | None = None, split: str | None = None
) -> dict[str, object]:
    """Unpack some members of an archive, in a child process.

    Args:
        name: the name of the archive.
        source: its bytes, or the path of its file.
        start: the number of members that were unpacked before.
        most: number of bytes after which no further member is unpacked.
        wanted, split: see ``members``.

    Returns:
        "members": labels and bytes, None for a damaged member; "next": the value of ``start`` for the next call, None
        after the last member; "choice": the fields of the choice of a split, None where there are no splits.
    """
    listed: list[tuple[str, bytes | None]] = []
    choices: list[Choice] = []
    following: int | None = None
    with Path(source).open("rb") if isinstance(source, str) else io.BytesIO(source) as file:
        for label, unpacked in _each(name, file, start, LIMITS, wanted, split, choices):
            if most < 0:
                following = start + len(listed)
                break
            listed.append((label, unpacked))
            most -= len(unpacked or b"")
    return {"members": listed, "next": following, "choice": asdict(choices[0]) if choices else None}


def _each(
    name: str,
    file: BinaryIO,
    start: int,
    limits: ArchiveLimits,
    wanted: int | None,
    split: str | None,
    choices: list[Choice],
) -> Iterator[tuple[str, bytes | None]]:
    """Yield labels and bytes of the members from number ``start`` on; None for the bytes of a damaged member."""
    with _opened(name, file, limits) as archive:
        listed, choice = _checked(name, archive, limits, split)
        choices += [choice] if choice is not None else []
        order = in_turn([label for label, _ in listed], len(listed) if wanted is None else wanted)
        for label, info in (listed[index] for index in order[start:]):
            unpacked = None
            # Damage raises zlib.error, BadZipFile, EOFError, struct.error, …
            with suppress(Exception), archive.open(info) as member:
                unpacked = member.read(info.file_size)
            yield label, unpacked


def raise_damaged(name: str, damaged: Sequence[str]) -> None:
    """Raise ArchiveRefused if members of an archive are damaged; the sentence names the first."""
    if damaged:
        others = f", like {len(damaged) - 1} more of its files" if len(damaged) > 1 else ""
        raise ArchiveRefused(f"{damaged[0]} in {name}", f"it is damaged{others}; pack the archive again")


def directory(path: Path) -> list[zipfile.ZipInfo]:
    """Return the files in the directory of a ZIP archive that the user of this process chose as a dataset.

    Its size is not limited, because its members are read one by one, each up to the size of an image.

    Raises:
        ArchiveRefused: it is no ZIP archive, has too many entries or entries that overlap, or cannot be unpacked.
        OSError: the file cannot be read.
    """
    name = shown(path.name)
    with path.open("rb") as file, _opened(name, file, _OF_DATASETS) as archive:
        _refuse_overlap(name, archive)
        files = [info for info in archive.infolist() if not info.filename.endswith(("/", "\\"))]
        for info in files:
            _refuse_unreadable(name, info)
        return files


def read_member(file: BinaryIO, info: zipfile.ZipInfo, most: int) -> bytes:
    """Return the bytes of a member, at most ``most``, from its archive.

    Raises:
        ArchiveRefused: the member is damaged.
        OSError: the file cannot be read.
    """
    try:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER_BYTES)
        file.seek(sum(struct.unpack("<HH", header[26:30])), io.SEEK_CUR)  # its name and extra field
        packed = file.read(min(info.compress_size, _MOST_PACKED * most))
        stored = info.compress_type == zipfile.ZIP_STORED
        content = packed[:most] if stored else zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most)
    except (struct.error, zlib.error) as error:
        raise ArchiveRefused(shown(info.filename), _DAMAGED) from error
    if len(content) < most and (len(content) != info.file_size or zlib.crc32(content) != info.CRC):
        raise ArchiveRefused(shown(info.filename), _DAMAGED)
    return content


def _refuse_overlap(name: str, archive: zipfile.ZipFile) -> None:
    end = archive.start_dir
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset, reverse=True):
        if info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size > end:
            raise ArchiveRefused(name, "its files overlap, as in a ZIP bomb; pack it again with another program")
        end = info.header_offset


def _refuse_unreadable(name: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _LOCKED:
        raise ArchiveRefused(name, "it is locked with a password; pack it again without one")
    # The standard library's other decompressors have no limit on what one call returns.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveRefused(name, "it is packed with an unusual method; pack it again as an ordinary ZIP archive")


def _opened(name: str, file: BinaryIO, limits: ArchiveLimits) -> zipfile.ZipFile:
    """Open an archive, and read its directory."""
    if file.seek(0, io.SEEK_END) > limits.total:
        raise ArchiveRefused(name, f"it is larger than {limits.total // 10**6} MB; split it")
    # zipfile builds an object for every entry. The declared number of entries may be wrong; that of signatures is not.
    if _count(file, _CENTRAL_HEADER) > limits.entries:
        raise ArchiveRefused(name, f"it has more than {limits.entries:,} entries; split it")
    try:
        return zipfile.ZipFile(file)
    except Exception as error:
        raise ArchiveRefused(name, "it is damaged or not a ZIP archive; pack it again") from error


def _count(file: BinaryIO, signature: bytes) -> int:
    """Return how often ``signature`` occurs in the file."""
    file.seek(0)
    count, tail = 0, b""
    while block := file.read(BLOCK):
        count += (tail + block).count(signature)
        tail = block[1 - len(signature) :]
    return count


def _checked(
    name: str, archive: zipfile.ZipFile, limits: ArchiveLimits, split: str | None
) -> tuple[list[tuple[str, zipfile.ZipInfo]], Choice | None]:
    """Check the whole directory, and return labels and entries of the files to unpack, and the choice of a split."""
    _refuse_overlap(name, archive)
    listed = [info for info in archive.infolist() if not info.filename.endswith(("/", "\\"))]
    try:
        labels, choice = labels_of_one_split([info.filename for info in listed], split, name)
    except DatasetRefused as refused:
        raise ArchiveRefused(name, lower(str(refused)).rstrip(".")) from refused
    files = [(label, info) for label, info in zip(labels, listed, strict=True) if label]
    if not files:
        raise ArchiveRefused(name, "there are no files in it; put images in it")
    if len(files) > limits.files:
        raise ArchiveRefused(name, f"it holds more than {limits.files:,} files; split it")
    for label, info in files:
        _refuse_unreadable(name, info)
        if info.file_size > limits.member:
            raise ArchiveRefused(name, f"{label} in it is larger than {limits.member // 10**6} MB; take that file out")
        if info.file_size > limits.ratio * info.compress_size:
            raise ArchiveRefused(
                name, f"{label} in it is packed more than {limits.ratio} to 1, as in a ZIP bomb; take that file out"
            )
    if sum(info.file_size for _, info in files) > limits.total:
        raise ArchiveRefused(name, f"unpacked it is larger than {limits.total // 10**6} MB; split it")
    return files, choice
