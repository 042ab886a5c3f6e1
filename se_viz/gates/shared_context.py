"""A context that any number of threads can hold at the same time."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import RLock


class SharedContext:
    """A context that the first holder enters and the last one leaves, under a lock."""

    def __init__(self) -> None:
        # Reentrant, because the garbage collector may release a forgotten holder while this thread holds the lock.
        self._lock = RLock()
        self._holders = 0
        self._entered: AbstractContextManager[object] | None = None

    @contextmanager
    def hold(self, make: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
        """Hold the context inside the block; make and enter it if there is no other holder.

        ``make`` is an argument of this method and not of the class, so that a context without holders keeps nothing
        alive.
        """
        with self._lock:
            if self._entered is None:
                entered = make()
                entered.__enter__()
                self._entered = entered
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if not self._holders:
                    entered, self._entered = self._entered, None
                    entered.__exit__(None, None, None)
