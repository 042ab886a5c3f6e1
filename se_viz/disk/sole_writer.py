"""One writer for a file, or for a folder by its main file: a lock that says who holds it.

The lock is one of the operating system (flock, LockFileEx). It is released when its process ends, however it ends, so a
lock of a dead process is taken over at once. A network file system forwards the lock to its server, which releases it
when it gives up the connection to a machine that went down. On a file system without locks, an existing file serves as
the lock: the file of a dead process on this machine is taken over; for another machine the error names the file to
remove. A record beside the lock says which process writes. ``Writer.require_held`` checks that the folder and the
record still belong to this writer: another process takes them over where the folder is removed and made again, or where
a file system does not forward locks.
"""

import errno
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from se_viz.disk.atomic import remove_unfinished
from se_viz.disk.errors import FolderGone, InUse, friendly_errors

PATIENCE = 1.0  # seconds to wait for a writer that is about to finish, or was just killed
_LONGEST = 160  # characters of a command that are shown
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that writes: its id, host, command, start of writing (ISO 8601), and a token that only it has."""

    pid: int
    host: str
    command: str
    since: str
    token: str

    @classmethod
    def this(cls) -> "Holder":
        """Return the record of this process, with a new token."""
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        return cls(os.getpid(), socket.gethostname(), _cut(" ".join(sys.orig_argv)), since, uuid4().hex)

    @classmethod
    def read(cls, path: Path) -> "Holder | None":
        """Return the holder in a record, or None where no record can be read."""
        try:
            record = json.loads(path.read_bytes())
            return cls(int(record["pid"]), *(_cut(str(record[key])) for key in ("host", "command", "since", "token")))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} (`{self.command}`) since {self.since}"


@dataclass(frozen=True, slots=True)
class Writer:
    """The only writer of a path, while the block of ``sole_writer`` runs."""

    path: Path
    holder: Holder

    def require_held(self) -> None:
        """Check that the folder exists and that this writer still holds it.

        Raises:
            FolderGone: the folder was moved or removed.
            InUse: another process took the folder over, as the folder or its lock was removed and made again.
        """
        holder = Holder.read(record_of(self.path))
        if holder is not None and holder.token == self.holder.token:
            return
        if holder is not None:
            raise InUse(
                f"{self.path.parent} was taken over by {holder}, so this process no longer writes to it: wait until "
                "that process has finished, or name another folder."
            )
        raise FolderGone(
            f"{self.path.parent} was removed, moved or emptied while it was being written, or its disk was "
            "disconnected."
        )


def lock_of(path: Path) -> Path:
    """Return the path of the lock of ``path``, beside it."""
    return path.with_name(f".{path.name}.lock")


def record_of(path: Path) -> Path:
    """Return the path of the record of the process that holds the lock of ``path``."""
    return path.with_name(f".{path.name}.writer")


@contextmanager
def sole_writer(path: Path) -> Iterator[Writer]:
    """Make the block the only writer of ``path`` among threads, processes and machines, and create its folder.

    The lock and the record are removed at the end.

    Raises:
        InUse: ``path`` has another writer; the message gives its process id, host, command and start of writing.
        WriteFailed: the folder cannot be created or written.
    """
    with friendly_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path) as lock:
        writer = Writer(path, Holder.this())
        try:
            with friendly_errors(record_of(path)):
                record_of(path).write_text(json.dumps(asdict(writer.holder)), encoding="utf-8")
            remove_unfinished(path)
            yield writer
        finally:
            _remove(writer, lock)


@contextmanager
def _locked(path: Path) -> Iterator[BaseFileLock]:
    lock = _acquired(path)
    try:
        yield lock
    finally:
        lock.release()
        if os.name == "nt":  # on Windows an open file cannot be removed
            with suppress(OSError):
                lock_of(path).unlink()


def _acquired(path: Path) -> BaseFileLock:
    file = lock_of(path)
    lock: BaseFileLock = FileLock(file, fallback_to_soft=False)
    try:
        try:
            lock.acquire(timeout=PATIENCE, poll_interval=0.02)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            lock = SoftFileLock(file.with_suffix(".softlock"))
            lock.acquire(timeout=PATIENCE, poll_interval=0.02)
    except Timeout as timeout:
        raise InUse(_in_use(path, Path(lock.lock_file))) from timeout
    except OSError as error:
        with friendly_errors(path):
            raise error from None
    return lock


def _remove(writer: Writer, lock: BaseFileLock) -> None:
    """Remove the record and the lock if they still belong to this writer."""
    holder = Holder.read(record_of(writer.path))
    if holder is None or holder.token != writer.holder.token:
        return
    with suppress(OSError):
        record_of(writer.path).unlink()
        # The lock is still held: a process that waits for it notices that the file was removed, and creates another.
        if os.name != "nt" and not isinstance(lock, SoftFileLock):
            lock_of(writer.path).unlink()


def _in_use(path: Path, lock: Path) -> str:
    holder, folder = Holder.read(record_of(path)), path.parent
    if holder is None:
        who, elsewhere = "another process", True
    elif (holder.pid, holder.host) == (os.getpid(), socket.gethostname()):
        who, elsewhere = f"another thread of this process since {holder.since}", False
    else:
        who, elsewhere = str(holder), holder.host != socket.gethostname()
    stale = f" If that process has ended, or its machine is off, remove {lock}." if elsewhere else ""
    return (
        f"{path} is being written by {who}: wait until it has finished and try again, or name a folder other than "
        f"{folder}.{stale}"
    )


def _cut(text: str) -> str:
    """Return a text on one line, without control characters and of bounded length."""
    line = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"
