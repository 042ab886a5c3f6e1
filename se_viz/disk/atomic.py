"""Atomic writes: a file is written under a temporary name that no other process uses, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from uuid import uuid4

from se_viz.disk.errors import friendly_errors

SUFFIX = ".tmp"
_LONGEST = 40  # characters of the file's name that its temporary name repeats; systems allow 255 bytes


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file, which replaces ``path`` when the block ends without an exception.

    The content is on the disk before the file is renamed. After an exception the temporary file is removed. A path that
    is not a regular file (``/dev/stdout``, a named pipe) is yielded itself. A symbolic link stays a link.

    Raises:
        WriteFailed: the system refused the write; the message says why.
    """
    with friendly_errors(path):
        target = path.resolve() if path.is_symlink() else path
        if target.exists() and not target.is_file():
            yield target
            return
        unfinished = target.with_name(f".{target.name[:_LONGEST]}.{uuid4().hex[:16]}{SUFFIX}")
        try:
            yield unfinished
            _flush(unfinished)
            unfinished.replace(target)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file atomically.

    Raises:
        WriteFailed: the system refused the write; the message says why.
    """
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


def remove_unfinished(path: Path) -> None:
    """Remove the temporary files of ``path`` that killed processes left behind; only its sole writer may call this."""
    for unfinished in path.parent.glob(f".{escape(path.name[:_LONGEST])}.{'[0-9a-f]' * 16}{SUFFIX}"):
        with suppress(OSError):
            unfinished.unlink()


def _flush(path: Path) -> None:
    # A rename can reach the disk before the content does, and a full disk may be noticed only here.
    with path.open("r+b") as file:
        os.fsync(file.fileno())
