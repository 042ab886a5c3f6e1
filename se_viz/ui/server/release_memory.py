"""Release of memory that the process no longer needs: reference cycles, and free parts of the heap."""

import ctypes
import gc
import sys
from functools import cache

_ARENA_MAX = -8  # glibc's malloc.h
_ARENAS = 2


@cache
def _libc() -> ctypes.CDLL | None:
    """Return the C library if it has glibc's functions."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def share_arenas() -> None:
    """Limit the number of heap arenas, so that threads share them.

    Each run of the page is a thread, and glibc keeps up to eight arenas for each core. Memory that one thread has freed
    in its arena cannot be used by the others.
    """
    library = _libc()
    if library is not None:
        library.mallopt(_ARENA_MAX, _ARENAS)


@cache
def freeze_imports() -> None:
    """Exclude all current objects from garbage collection; call it after the imports and before anything is loaded.

    Torch's half a million objects are never garbage, and checking them takes 0.2 s during which no other thread runs.
    """
    gc.freeze()


def give_back() -> None:
    """Collect garbage, and return free memory inside the heap to the system."""
    gc.collect()
    library = _libc()
    if library is not None:
        library.malloc_trim(0)  # other threads run meanwhile
