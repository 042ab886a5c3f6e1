"""A disk that is full after a number of bytes, or refuses to be written, for the files below a folder."""

import errno
import io
import os
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def full_disk(folder, room):
    """In the block, no more than ``room`` bytes can be written below a folder."""
    left = [room]
    opened = io.open

    class Full(io.FileIO):
        def write(self, content):
            size = memoryview(content).nbytes
            if size > left[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left[0] -= size
            return super().write(content)

    def limited(file, mode="r", *args, **kwargs):
        if set(mode) & set("wax") and Path(file).is_relative_to(folder):
            raw = io.BufferedWriter(Full(file, mode.replace("b", "")))
            return raw if "b" in mode else io.TextIOWrapper(raw, encoding="utf-8")
        return opened(file, mode, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "open", limited)
        yield


@contextmanager
def read_only(folder):
    """In the block, nothing below a folder can be written; tests may run as root, whom no mode of a file stops."""
    opened, made, opened_low = io.open, os.mkdir, os.open

    def refuse(file):
        if isinstance(file, str | os.PathLike) and Path(file).is_relative_to(folder):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(file))

    def limited(file, mode="r", *args, **kwargs):
        if set(mode) & set("wax+"):
            refuse(file)
        return opened(file, mode, *args, **kwargs)

    def low(file, flags, *args, **kwargs):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            refuse(file)
        return opened_low(file, flags, *args, **kwargs)

    def make(file, *args, **kwargs):
        if not Path(file).exists():
            refuse(file)
        return made(file, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "open", limited)
        patch.setattr(os, "open", low)
        patch.setattr(os, "mkdir", make)
        yield
