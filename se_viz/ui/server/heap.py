"""Memory that nothing needs any more, and that the process would keep: garbage in circles, and holes in the heap."""

import ctypes
import gc
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


@cache
def freeze_imports() -> None:
    """Leave what is there now out of every later collection; call it when modules are imported and nothing is loaded.

    Torch's half a million objects are never garbage, and to look at them takes 0.2 s in which no other thread runs.
    """
    gc.freeze()


def give_back() -> None:
    """Free garbage, and return free memory inside the heap to the system."""
    gc.collect()
    library = _libc()
    if library is not None:
        library.malloc_trim(0)  # other threads run meanwhile
