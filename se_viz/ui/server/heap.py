"""Memory that the process has freed and keeps: glibc gives it back where it is told to."""

import ctypes
import sys
from functools import cache

_ARENA_MAX = -8  # glibc's malloc.h
_ARENAS = 2


@cache
def _libc() -> ctypes.CDLL | None:
    """Return the C library if it is one with glibc's functions."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def share_arenas() -> None:
    """Let threads share few parts of the heap.

    Each run of the page is a thread, and glibc keeps eight arenas for each core, in which what one thread has freed is
    of no use to the others.
    """
    library = _libc()
    if library is not None:
        library.mallopt(_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Return free memory inside the heap to the system; a call takes some milliseconds and holds no Python lock."""
    library = _libc()
    if library is not None:
        library.malloc_trim(0)
