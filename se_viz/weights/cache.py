"""The folder of downloaded weights. The name of each file contains the start of its sha256, as those of releases do.

The files of the hub are in the cache of huggingface_hub (``hub_cache``); of those that SE Viz downloaded there is a
record here. The total size is limited: before a download the files that were used longest ago are removed. No
library that we know limits a cache that several processes use, so this is our own code. Files of the hub that another
program downloaded are neither counted nor removed.
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

# Seconds since its last use during which a file is not removed: it may be about to be loaded.
_IN_USE = 600.0

# Suffix of a record: a text file with the path of a file in the cache of huggingface_hub.
_RECORD = ".path"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of weights, or the part of one that has arrived.

    Attributes:
        name: its path in the cache folder, or that of its record without the suffix.
        size: bytes.
        used: time of its last use, seconds since 1970.
    """

    name: str
    size: int
    used: float


def folder() -> Path:
    """Return ``SE_VIZ_CACHE`` if it is set, else the user's cache folder on this system."""
    path = os.environ.get("SE_VIZ_CACHE")
    return Path(path).expanduser() if path else Path(user_cache_dir("se-viz", appauthor=False))


def limit() -> float:
    """Return the maximum size of the cache in bytes: ``SE_VIZ_CACHE_LIMIT`` ("5e9"), or 20 GB.

    Raises:
        DownloadFailed: the variable is not a number of bytes.
    """
    stated = os.environ.get("SE_VIZ_CACHE_LIMIT") or str(_LIMIT)
    try:
        size = float(stated)
    except ValueError:
        size = -1.0
    if not size >= 0:
        raise DownloadFailed(f"SE_VIZ_CACHE_LIMIT is {stated!r}: give a number of bytes, as in 20e9.")
    return size


def hash_in(name: str) -> str | None:
    """Return the 8 to 64 hexadecimal digits of sha256 that a name ends in: "ce0d4300" of se_resnet50-ce0d4300.pth."""
    match = _HASH.search(name)
    return match[1] if match else None


def is_verified(path: Path, sha256: str) -> bool:
    """Return whether a file exists and its sha256 begins with these digits; if so, it counts as used now."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest().startswith(sha256)
    if same:
        with suppress(OSError):  # A shared read-only folder works as well.
            os.utime(path)
    return same


def record(name: str, path: Path) -> None:
    """Write down that SE Viz downloaded a file into the cache of huggingface_hub, so that it counts here."""
    with suppress(OSError):  # A file without a record is used like any other; it is only not counted.
        (folder() / f"{name}{_RECORD}").write_text(str(path), encoding="utf-8")


def lock(name: str) -> FileLock:
    """Return the lock for writing or removing a cached file; it is released when its process exits."""
    return FileLock(folder() / f"{name.removesuffix('.part')}.lock")


def entries() -> list[Entry]:
    """Return the files of the cache, the last used first."""
    found = []
    for pattern in ("hub/*/*", "releases/*"):
        for path in folder().glob(pattern):
            if hash_in(path.name.removesuffix(".part")) and not path.name.endswith(".lock"):
                try:
                    stat = _recorded(path).stat()
                except FileNotFoundError:
                    continue  # Another process has just removed it.
                name = path.relative_to(folder()).as_posix().removesuffix(_RECORD)
                found.append(Entry(name, stat.st_size, stat.st_mtime))
    return sorted(found, key=lambda entry: -entry.used)


def remove(entry: Entry) -> bool:
    """Remove a file unless it is being downloaded; return whether it is gone."""
    path = folder() / entry.name
    recorded = path.with_name(f"{path.name}{_RECORD}")
    try:
        with lock(entry.name).acquire(timeout=0):
            if recorded.is_file():
                link = _recorded(recorded)
                if link.is_symlink():
                    (link.parent / link.readlink()).unlink(missing_ok=True)
                link.unlink(missing_ok=True)
                recorded.unlink()
            path.unlink(missing_ok=True)
    except Timeout:
        return False
    return True


def free_space(needed: int, beside: str = "") -> None:
    """Remove the files that were used longest ago until a new one is within the limit; those in use stay.

    Args:
        needed: bytes that are about to be written.
        beside: name of the file that they belong to, which stays, too.

    Raises:
        DownloadFailed: the files in use leave too little space within the limit.
    """
    most = limit()
    files = entries()
    total = sum(entry.size for entry in files)
    for entry in reversed(files):
        if total + needed <= most:
            return
        idle = time.time() - entry.used > _IN_USE
        if idle and entry.name.removesuffix(".part") != beside and remove(entry):
            total -= entry.size
    if total + needed > most:
        raise DownloadFailed(
            f"{needed / 1e6:,.0f} MB more do not fit into {folder()}, which is limited to {most / 1e9:g} GB: set "
            f"SE_VIZ_CACHE_LIMIT to more bytes, or remove weights with `python -m se_viz cache --free`."
        )


def _recorded(path: Path) -> Path:
    """Return the file that a record names, or the path itself if it is not a record."""
    return Path(path.read_text(encoding="utf-8")) if path.suffix == _RECORD else path
