"""The folder of downloaded weights. A file there carries the start of its sha256 in its name, as releases do.

It is bounded: before a download, what was used longest ago makes room for it.
"""

import hashlib
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_dir

from se_viz.weights.errors import DownloadFailed

_LIMIT = 20e9
_HASH = re.compile(r"-([0-9a-f]{8,64})\.[^/]+$")

# Seconds since its last use in which a file is not removed: somebody may be loading it, or about to.
_IN_USE = 600.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of weights in the cache, or the part of one that has arrived.

    Attributes:
        name: its path in the cache folder.
        size: bytes.
        used: when it was last asked for, seconds since 1970.
    """

    name: str
    size: int
    used: float


def folder() -> Path:
    """``SE_VIZ_CACHE`` where that is set, else this user's cache folder on this system."""
    own = os.environ.get("SE_VIZ_CACHE")
    return Path(own).expanduser() if own else Path(user_cache_dir("se-viz", appauthor=False))


def limit() -> float:
    """How many bytes the cache may hold: ``SE_VIZ_CACHE_LIMIT`` ("5e9"), or 20 GB.

    Raises:
        DownloadFailed: that is no number of bytes.
    """
    stated = os.environ.get("SE_VIZ_CACHE_LIMIT") or str(_LIMIT)
    try:
        bytes_ = float(stated)
    except ValueError:
        bytes_ = -1.0
    if not bytes_ >= 0:
        raise DownloadFailed(f"SE_VIZ_CACHE_LIMIT is {stated!r}: give a number of bytes, as in 20e9.")
    return bytes_


def hash_in(name: str) -> str | None:
    """The hexadecimal digits (8 to 64) of sha256 that a file name ends in: "ce0d4300" of se_resnet50-ce0d4300.pth."""
    found = _HASH.search(name)
    return found[1] if found else None


def is_verified(path: Path, sha256: str) -> bool:
    """Whether a file is there and is the one whose sha256 begins with these digits; if so, it counts as used now."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        right = hashlib.file_digest(file, "sha256").hexdigest().startswith(sha256)
    if right:
        with suppress(OSError):  # a folder that is shared read-only serves as well
            os.utime(path)
    return right


def lock(name: str) -> FileLock:
    """What whoever writes or removes a file of the cache holds; a process that dies lets go of it."""
    return FileLock(folder() / f"{name.removesuffix('.part')}.lock")


def entries() -> list[Entry]:
    """What the cache holds, the last used first."""
    found = []
    for place in ("hub/*/*", "releases/*"):
        for path in folder().glob(place):
            if hash_in(path.name.removesuffix(".part")) and not path.name.endswith(".lock"):
                try:
                    stat = path.stat()
                except FileNotFoundError:
                    continue  # Another has removed it just now.
                found.append(Entry(path.relative_to(folder()).as_posix(), stat.st_size, stat.st_mtime))
    return sorted(found, key=lambda entry: -entry.used)


def remove(entry: Entry) -> bool:
    """Remove a file, unless it is being fetched; whether it is gone."""
    try:
        with lock(entry.name).acquire(timeout=0):
            (folder() / entry.name).unlink(missing_ok=True)
    except Timeout:
        return False
    return True


def make_room(needed: int, beside: str = "") -> None:
    """Remove what was used longest ago until so many bytes more are within the limit; what is in use stays.

    Args:
        needed: bytes that are about to be written.
        beside: the name of the file that they belong to, which stays too.

    Raises:
        DownloadFailed: what is in use leaves no room for them.
    """
    most = limit()
    there = entries()
    held = sum(entry.size for entry in there)
    for entry in reversed(there):
        if held + needed <= most:
            return
        idle = time.time() - entry.used > _IN_USE
        if idle and entry.name.removesuffix(".part") != beside and remove(entry):
            held -= entry.size
    if held + needed > most:
        raise DownloadFailed(
            f"{needed / 1e6:,.0f} MB more do not fit into {folder()}, which may hold {most / 1e9:g} GB: set "
            f"SE_VIZ_CACHE_LIMIT to more bytes, or remove weights with `python -m se_viz cache --free`."
        )
