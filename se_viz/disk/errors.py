"""Errors of writing files; each message names the file and says what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
GONE = {errno.ENOENT, errno.ESTALE}


class DiskError(OSError):
    """A file or a folder cannot be used; the message names it and says what to do."""


class WriteFailed(DiskError):
    """A file could not be written. A file that was at its path before is unchanged."""


class FolderGone(WriteFailed):
    """The folder of a file was moved or removed while it was in use."""


class InUse(DiskError):
    """Another process or thread is writing the same file or folder."""


@contextmanager
def friendly_errors(path: Path) -> Iterator[None]:
    """Turn an OSError inside the block, which writes ``path``, into WriteFailed."""
    try:
        yield
    except DiskError:
        raise
    except OSError as error:
        raise write_failed(error, path) from error


def write_failed(error: OSError, path: Path) -> WriteFailed:
    """Return the WriteFailed for an OSError of writing ``path``."""
    folder, reason = path.parent, error.strerror or str(error)
    if error.errno in FULL:
        return WriteFailed(
            f"The disk of {folder} is full, so {path} was not written: free some space, or name a folder on another "
            "disk."
        )
    if error.errno == errno.EFBIG:
        return WriteFailed(
            f"{path} was not written, as it exceeds the largest file size allowed here ({reason}): raise the limit of "
            "this process (ulimit -f), or name a folder on another disk."
        )
    if error.errno in _DENIED:
        return WriteFailed(
            f"{path} cannot be written ({reason}): make {folder} writable for this user, or name another folder."
        )
    if error.errno == errno.EISDIR:
        return WriteFailed(f"{path} cannot be written, as it is a folder: name a file in it, or another path.")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        file = next((above for above in path.parents if above.exists() and not above.is_dir()), folder)
        return WriteFailed(f"{path} cannot be written, as {file} is not a folder: name another one.")
    if error.errno in GONE and not folder.is_dir():
        return FolderGone(
            f"{path} was not written, as {folder} does not exist, or no longer exists: make this folder, connect its "
            "disk again, or name another folder."
        )
    return WriteFailed(f"{path} was not written ({reason}): check the disk of {folder}, or name another folder.")
