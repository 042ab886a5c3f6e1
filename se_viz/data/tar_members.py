"""The files of an uncompressed tar file: their names and the positions of their bytes, with links followed."""

import posixpath
import tarfile
from dataclasses import dataclass
from pathlib import Path

from se_viz.data.member_paths import member_path
from se_viz.data.rejected import shown
from se_viz.wording import counted

_BLOCK = 512
_LOOKED_AT = 1_000_000  # bytes after the end of an archive in which another one is looked for
_MOST_LINKS = 40  # as in Linux: a longer chain is a cycle
_NAMED = 3


class TarRefused(ValueError):
    """A file is not a plain tar file."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file in an archive: its name as written, and the position of its bytes."""

    name: str
    offset: int
    size: int


def members_of(path: Path) -> tuple[list[TarMember], list[str]]:
    """List the files of an archive in its order, as unpacking it would leave them.

    Of several files of one name the last one counts, as ``tar --append`` and ``--update`` write newer ones. A link to a
    file, hard or symbolic, counts as that file.

    Returns:
        The files; and sentences on names that occur more than once, links that lead nowhere or to folders, and another
        archive after the end of this one.

    Raises:
        TarRefused: the file is compressed, cut short, damaged, or not a tar file.
        OSError: the file cannot be read.
    """
    files: dict[str, TarMember] = {}
    links: dict[str, tuple[str, str]] = {}
    repeated = 0
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                # The archive would keep every header that it has read.
                archive.members = []  # type: ignore[attr-defined]
                key = str(member_path(member.name))
                if not (member.isfile() or member.issym() or member.islnk()):
                    continue
                repeated += key in files or key in links
                if member.isfile():
                    links.pop(key, None)
                    files[key] = TarMember(member.name, member.offset_data, member.size)
                else:
                    files.pop(key, None)
                    around = posixpath.dirname(key) if member.issym() else ""
                    links[key] = member.name, str(member_path(posixpath.join(around, member.linkname)))
            end = archive.offset
    except (tarfile.TarError, EOFError) as error:
        raise TarRefused(
            f"{path} cannot be read as a plain tar file ({error}): unpack it if it is compressed, or copy it again. "
            "Other datasets are folders, and lists in CSV, TSV, TXT or Parquet files."
        ) from error
    notes = _after(path, end, len(files) + len(links))
    notes += said_of_repeated(repeated, path)
    nowhere = []
    for key, (name, target) in links.items():
        found = _at(target, files, links)
        if found is None:
            nowhere.append(key)
        else:
            files[key] = TarMember(name, found.offset, found.size)
    if nowhere:
        listed = ", ".join(map(shown, nowhere[:_NAMED])) + (", …" if len(nowhere) > _NAMED else "")
        some = "1 link was" if len(nowhere) == 1 else f"{len(nowhere):,} links were"
        notes.append(f"{some} left out, to folders or to what is not in {path.name} ({listed}).")
    return list(files.values()), notes


def said_of_repeated(count: int, path: Path) -> list[str]:
    """Return a sentence on the files of an archive that have the name of an earlier one; an empty list for none."""
    if not count:
        return []
    times = "1 name occurs" if count == 1 else f"{count:,} names occur"
    return [f"{times} again in {path.name}: the last file of a name counts."]


def _at(target: str, files: dict[str, TarMember], links: dict[str, tuple[str, str]]) -> TarMember | None:
    """Return the file to which a link leads, through other links; None if there is no such file."""
    for _ in range(_MOST_LINKS):
        if target in files:
            return files[target]
        if target not in links:
            return None
        target = links[target][1]
    return None


def _after(path: Path, end: int, count: int) -> list[str]:
    """Return a sentence on an archive that follows the end of this one; an empty list if none does.

    The module ``tarfile`` takes a broken header for the end of an archive, except for the first one.

    Raises:
        TarRefused: the archive does not end at ``end``, but is cut short or damaged there.
    """
    with path.open("rb") as file:
        file.seek(end)
        block = file.read(_BLOCK)
        if block.strip(b"\0"):
            files = counted(count, "file")
            raise TarRefused(f"{path} is cut short or damaged: {files} can be read, the rest cannot. Copy it again.")
        if file.read(_LOOKED_AT).strip(b"\0"):
            return [f"{path.name} has more data after its end, such as a second archive, which was left out."]
    return []
