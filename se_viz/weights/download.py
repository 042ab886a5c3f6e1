"""Fetching a file of weights into the cache: once, resumed where it was cut, checked, and there whole or not at all."""

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
from se_viz.weights import cache
from se_viz.weights import http as web
from se_viz.weights.errors import Cancelled, DownloadFailed

# No weights of timm or torchvision are larger; it is there to stop a server that never ends.
LARGEST = 8 * 10**9

_CHUNK = 256 * 1024
_OFTEN = 0.2  # seconds between two reports at most, where less than a chunk has come
_TRIES = 10
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class Remote:
    """A file of weights on a server.

    Attributes:
        url: where it is.
        place: where it goes, relative to the cache folder.
        sha256: its first hexadecimal digits, 8 to 64.
        size: bytes, where that is known before asking for it.
        token: sent to the host of ``url``, and to no other.
    """

    url: str
    place: str
    sha256: str
    size: int | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is.

    Attributes:
        done: bytes that are here, those of earlier tries included.
        total: bytes of the file; None where the server does not say.
        speed: bytes a second since this try began; 0 while another process or session fetches the file for us.
    """

    done: int
    total: int | None
    speed: float

    @property
    def left(self) -> float | None:
        """Seconds to go at this speed; None where that cannot be said."""
        return (self.total - self.done) / self.speed if self.total is not None and self.speed else None


Report: TypeAlias = Callable[[Progress], None]
ShouldCancel: TypeAlias = Callable[[], bool]


def fetch(remote: Remote, report: Report | None = None, cancelled: ShouldCancel | None = None) -> Path:
    """The path of a file in the cache, fetched if it is not there or is not what it should be.

    Threads and processes that ask for one file at once wait for the first of them.

    Args:
        remote: which file.
        report: called after every some hundred kilobytes that arrive, or five times a second.
        cancelled: asked before every piece, and while waiting; True ends the download.

    Raises:
        DownloadFailed: the sentence says why, and what to do.
        Cancelled: ``cancelled`` returned True. What has arrived is kept.
    """
    path = cache.folder() / remote.place
    part = path.with_name(f"{path.name}.part")
    report, cancelled = report or _ignore, cancelled or _never
    try:
        if cache.is_verified(path, remote.sha256):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(remote, part, report, cancelled):
            # Another may have fetched it while this one waited.
            if cache.is_verified(path, remote.sha256):
                return path
            _receive(remote, part, report, cancelled)
            if not cache.is_verified(part, remote.sha256):
                part.unlink()
                raise DownloadFailed(
                    f"What {remote.url} sent is not {path.name} (its sha256 does not begin with {remote.sha256[:16]}), "
                    f"and was thrown away: try again, and from another network or mirror if it recurs."
                )
            part.replace(path)
    except OSError as error:
        raise _cannot_write(error, part) from error
    return path


def _cannot_write(error: OSError, part: Path) -> DownloadFailed:
    """Return what to raise where the cache cannot be used, with what of the file is kept."""
    if error.errno in FULL:
        return _full(part, None)
    if error.errno in GONE:
        return DownloadFailed(
            f"{part} was removed while it was written, or its disk was disconnected. {_kept(part)}, or set "
            "SE_VIZ_CACHE to another folder."
        )
    return DownloadFailed(
        f"{part.parent} cannot be used ({error.strerror}): set SE_VIZ_CACHE to a folder that can be written to. "
        f"{_kept(part)}."
    )


def _kept(part: Path) -> str:
    try:
        size = _size(part)
    except OSError:
        size = 0
    return f"{size / 1e6:.1f} MB of it are kept: load again to go on from there" if size else "Load again to fetch it"


@contextmanager
def _alone(remote: Remote, part: Path, report: Report, cancelled: ShouldCancel) -> Iterator[None]:
    """Inside the block no other thread or process fetches this file; while one does, its progress is reported."""

    def waiting() -> bool:
        report(Progress(_size(part), remote.size, 0.0))
        return cancelled()

    lock = cache.lock(remote.place)
    try:
        lock.acquire(cancel_check=waiting)
    except Timeout as error:
        raise Cancelled(f"The download of {remote.url} was cancelled.") from error
    try:
        yield
    finally:
        lock.release()


def _receive(remote: Remote, part: Path, report: Report, cancelled: ShouldCancel) -> None:
    """Append to ``part`` until it is whole; a connection that is cut is taken up again while something arrives."""
    for _ in range(_TRIES):
        before = _size(part)
        try:
            total = _stream(remote, part, report, cancelled)
            part.stat()  # removed meanwhile, it would look like a connection that was cut
            if total is None or _size(part) >= total:
                return
        except web.Interrupted:
            pass
        if _size(part) <= before:
            break
    raise DownloadFailed(
        f"The connection to {remote.url} was cut at {_size(part) / 1e6:.1f} MB: load again to go on from there."
    )


def _stream(remote: Remote, part: Path, report: Report, cancelled: ShouldCancel) -> int | None:
    """One request, for what ``part`` does not have yet; how many bytes the whole file has, if that is known."""
    start = _size(part)
    wanted = {"Range": f"bytes={start}-"} if start else {}
    with web.open_response("GET", remote.url, token=remote.token, headers=wanted) as response:
        if start and response.status_code == requests.codes.requested_range_not_satisfiable:
            return None  # All of it is here; the hash will tell.
        web.check_answer(response, remote.url)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadFailed(
                f"{remote.url} comes compressed, though it was asked for as it is: try another mirror."
            )
        length = web.number(response.headers.get("Content-Length"))
        if response.status_code == requests.codes.partial_content:
            place = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if place is None or int(place[1]) != start:
                raise DownloadFailed(f"{remote.url} sends another part than it is asked for: its server is at fault.")
            total = web.number(place[2]) or remote.size
        else:
            start = 0  # A server that cannot resume sends everything.
            total = remote.size if length is None else length
        _check_room(part, remote, total, start)
        with part.open("ab" if start else "wb") as file:
            _write(file, response, Progress(start, total, 0.0), report, cancelled)
        return total


def _write(
    file: BinaryIO, response: requests.Response, begun: Progress, report: Report, cancelled: ShouldCancel
) -> None:
    """Write a body as it arrives, however slowly, so that it can be cancelled at any point."""
    done = told = begun.done
    since = last = time.monotonic()
    most = LARGEST if begun.total is None else begun.total
    while chunk := response.raw.read1(_CHUNK):
        if cancelled():
            raise Cancelled(f"The download of {response.url} was cancelled.")
        done += len(chunk)
        if done > most:
            file.truncate(0)  # Kept, it would stand in the way of the next try.
            raise DownloadFailed(
                f"{response.url} does not end where it should, at {most / 1e6:,.1f} MB: try again later."
            )
        file.write(chunk)
        now = time.monotonic()
        if done - told >= _CHUNK or now - last >= _OFTEN:
            report(Progress(done, begun.total, (done - begun.done) / max(now - since, 1e-9)))
            told, last = done, now
    report(Progress(done, begun.total, (done - begun.done) / max(time.monotonic() - since, 1e-9)))


def _check_room(part: Path, remote: Remote, total: int | None, start: int) -> None:
    if total is None:
        return
    if total > LARGEST:
        raise _too_large(remote.url)
    cache.make_room(total - start, remote.place)
    if total - start > shutil.disk_usage(part.parent).free:
        raise _full(part, total - start)


def _too_large(url: str) -> DownloadFailed:
    return DownloadFailed(f"{url} is larger than {LARGEST / 1e9:g} GB, so it is no weights of a network of this zoo.")


def _full(part: Path, needed: int | None) -> DownloadFailed:
    more = f" {needed / 1e6:.0f} MB more are needed;" if needed else ""
    return DownloadFailed(
        f"The disk of {part.parent} is full:{more} make room, or set SE_VIZ_CACHE to a folder on another disk. "
        f"{_kept(part)}."
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _ignore(_progress: Progress) -> None:
    pass


def _never() -> bool:
    return False
