"""Downloading a file of weights into the cache: once for all who wait, resumed, verified, and complete or absent.

It is our own code, not that of torch or huggingface_hub, for what the page needs and both lack: a broken or stopped
download continues where it ended, it stops between any two pieces, one download serves all processes that ask for the
file, and its size is limited.
"""

import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

import requests
from filelock import Timeout

from se_viz.disk.errors import FULL, GONE
from se_viz.types import ShouldCancel
from se_viz.weights import cache, http
from se_viz.weights.errors import Cancelled, DownloadFailed

# No weights of timm or torchvision are larger. The limit stops a server that never ends.
LARGEST = 8 * 10**9

_CHUNK = 256 * 1024
_REPORT_EVERY = 0.2  # seconds between two reports at most, where less than a chunk has arrived
_TRIES = 10
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class Remote:
    """A file of weights on a server.

    Attributes:
        url: its address.
        cache_path: its path relative to the cache folder; its lock and what has arrived of it are kept beside it.
        sha256: the first hexadecimal digits of its hash, 8 to 64.
        size: bytes, if known before the download.
        token: sent to the host of ``url``, and to no other.
        destination: its final path, if that is not ``cache_path``.
    """

    url: str
    cache_path: str
    sha256: str
    size: int | None = None
    token: str | None = None
    destination: Path | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a download.

    Attributes:
        done: bytes that have arrived, including those of earlier tries.
        total: bytes of the file; None if the server does not say.
        speed: bytes per second since this try began; 0 while another process or session downloads the file for us.
    """

    done: int
    total: int | None
    speed: float

    @property
    def left(self) -> float | None:
        """Seconds left at this speed; None if unknown."""
        return (self.total - self.done) / self.speed if self.total is not None and self.speed else None


OnProgress: TypeAlias = Callable[[Progress], None]


def fetch(remote: Remote, report: OnProgress | None = None, cancelled: ShouldCancel | None = None) -> Path:
    """Return the path of a verified file in the cache; download it if it is missing or damaged.

    Threads and processes that ask for one file at the same time wait for the first of them.

    Args:
        remote: the file.
        report: called after every few hundred kilobytes that arrive, or five times a second.
        cancelled: called before every piece, and while waiting; True ends the download.

    Raises:
        DownloadFailed: the message gives the reason and what to do.
        Cancelled: ``cancelled`` returned True. What has arrived is kept.
    """
    path = remote.destination or cache.folder() / remote.cache_path
    part = cache.folder() / f"{remote.cache_path}.part"
    report, cancelled = report or _ignore, cancelled or _never
    try:
        if cache.is_verified(path, remote.sha256):
            return path
        part.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(_existing(path.parent), os.W_OK):
            raise _unusable(path.parent, "Permission denied", part)
        with _alone(remote, part, report, cancelled):
            # Another process may have downloaded it while this one waited.
            if cache.is_verified(path, remote.sha256):
                return path
            _receive(remote, part, report, cancelled)
            if not cache.is_verified(part, remote.sha256):
                part.unlink()
                raise DownloadFailed(
                    f"The file from {remote.url} is not {part.name.removesuffix('.part')}: its sha256 does not begin "
                    f"with {remote.sha256[:16]}. It was deleted. Try again, and from another network or mirror if the "
                    f"error persists."
                )
            _move(part, path)
    except OSError as error:
        raise _cannot_write(error, part, path) from error
    return path


def _move(part: Path, path: Path) -> None:
    """Give a complete file its name, also on another file system, where it must not be seen before it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.replace(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy = path.with_name(f"{path.name}.{os.getpid()}.incomplete")
        try:
            shutil.copyfile(part, copy)
            copy.replace(path)
        finally:
            copy.unlink(missing_ok=True)
        part.unlink()


def _cannot_write(error: OSError, part: Path, path: Path) -> DownloadFailed:
    """Return the error to raise if the cache cannot be used; it says how much of the file is kept."""
    if error.errno in FULL:
        return _full(part, None)
    if error.errno in GONE:
        return DownloadFailed(
            f"{part} was removed while it was written, or its disk was disconnected. {_kept(part)}, or set "
            "SE_VIZ_CACHE to another folder."
        )
    place = Path(error.filename2 or error.filename or part)
    return _unusable(path.parent if place.is_relative_to(path.parent) else part.parent, error.strerror, part)


def _unusable(folder: Path, why: str | None, part: Path) -> DownloadFailed:
    variable = "SE_VIZ_CACHE" if folder.is_relative_to(cache.folder()) else "HF_HUB_CACHE"
    return DownloadFailed(f"{folder} cannot be used ({why}): set {variable} to a writable folder. {_kept(part)}.")


def _kept(part: Path) -> str:
    try:
        size = _size(part)
    except OSError:
        size = 0
    return f"{size / 1e6:.1f} MB of it are kept: load again to continue" if size else "Load again to download it"


@contextmanager
def _alone(remote: Remote, part: Path, report: OnProgress, cancelled: ShouldCancel) -> Iterator[None]:
    """Ensure that no other thread or process downloads this file in the block; while one does, report its progress."""

    def waiting() -> bool:
        report(Progress(_size(part), remote.size, 0.0))
        return cancelled()

    lock = cache.lock(remote.cache_path)
    try:
        lock.acquire(cancel_check=waiting)
    except Timeout as error:
        raise Cancelled(f"The download of {remote.url} was cancelled.") from error
    try:
        yield
    finally:
        lock.release()


def _receive(remote: Remote, part: Path, report: OnProgress, cancelled: ShouldCancel) -> None:
    """Append to ``part`` until it is complete; resume a broken connection as long as each one brings something."""
    for _ in range(_TRIES):
        before = _size(part)
        try:
            total = _stream(remote, part, report, cancelled)
            part.stat()  # If it was removed meanwhile, it would look like a broken connection.
            if total is None or _size(part) >= total:
                return
        except http.Interrupted:
            pass
        if _size(part) <= before:
            break
    raise DownloadFailed(f"The connection to {remote.url} broke at {_size(part) / 1e6:.1f} MB: load again to continue.")


def _stream(remote: Remote, part: Path, report: OnProgress, cancelled: ShouldCancel) -> int | None:
    """Request the bytes that ``part`` lacks; return the size of the whole file if it is known."""
    start = _size(part)
    wanted = {"Range": f"bytes={start}-"} if start else {}
    with http.open_response("GET", remote.url, token=remote.token, headers=wanted) as response:
        if start and response.status_code == requests.codes.requested_range_not_satisfiable:
            return None  # All of it has arrived; the hash will tell.
        http.check_answer(response, remote.url)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadFailed(
                f"{remote.url} was sent compressed, although uncompressed bytes were requested: try another mirror."
            )
        length = http.number(response.headers.get("Content-Length"))
        if response.status_code == requests.codes.partial_content:
            sent = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if sent is None or int(sent[1]) != start:
                raise DownloadFailed(f"The server of {remote.url} sent another range of bytes than was requested.")
            total = http.number(sent[2]) or remote.size
        else:
            start = 0  # A server that cannot resume sends everything.
            total = remote.size if length is None else length
        _check_room(part, remote, total, start)
        with part.open("ab" if start else "wb") as file:
            _write(file, response, Progress(start, total, 0.0), report, cancelled)
        return total


def _write(
    file: BinaryIO, response: requests.Response, begun: Progress, report: OnProgress, cancelled: ShouldCancel
) -> None:
    """Write a body as it arrives, even slowly, so that it can be cancelled at any point."""
    done = told = begun.done
    since = last = time.monotonic()
    most = LARGEST if begun.total is None else begun.total
    while chunk := response.raw.read1(_CHUNK):
        if cancelled():
            raise Cancelled(f"The download of {response.url} was cancelled.")
        done += len(chunk)
        if done > most:
            file.truncate(0)  # If kept, it would block the next try.
            raise DownloadFailed(
                f"{response.url} does not end at {most / 1e6:,.1f} MB, its expected size. Try again later."
            )
        file.write(chunk)
        now = time.monotonic()
        if done - told >= _CHUNK or now - last >= _REPORT_EVERY:
            report(Progress(done, begun.total, (done - begun.done) / max(now - since, 1e-9)))
            told, last = done, now
    report(Progress(done, begun.total, (done - begun.done) / max(time.monotonic() - since, 1e-9)))


def _check_room(part: Path, remote: Remote, total: int | None, start: int) -> None:
    """Raise DownloadFailed if the rest of a file exceeds a limit or the free space of its disk."""
    if total is None:
        return
    if total > LARGEST:
        raise DownloadFailed(
            f"{remote.url} is larger than {LARGEST / 1e9:g} GB, so it is not a file of weights of timm or torchvision."
        )
    cache.free_space(total - start, remote.cache_path)
    if total - start > shutil.disk_usage(part.parent).free:
        raise _full(part, total - start)
    final = _existing(remote.destination.parent) if remote.destination else part.parent
    if final.stat().st_dev != part.parent.stat().st_dev and total > shutil.disk_usage(final).free:
        raise _full(final / part.name, total)


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _full(part: Path, needed: int | None) -> DownloadFailed:
    more = f" {needed / 1e6:.0f} MB more are needed;" if needed else ""
    variable = "SE_VIZ_CACHE" if part.is_relative_to(cache.folder()) else "HF_HUB_CACHE"
    return DownloadFailed(
        f"The disk of {part.parent} is full:{more} free some space, or set {variable} to a folder on another disk. "
        f"{_kept(part)}."
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _ignore(_progress: Progress) -> None:
    pass


def _never() -> bool:
    return False
