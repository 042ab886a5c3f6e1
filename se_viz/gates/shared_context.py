"""A context that any number of threads hold at once."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import RLock


class SharedContext:
    """The first holder in enters a context, the last one out leaves it; both while no other can come or go."""

    def __init__(self) -> None:
        # Reentrant, as the garbage collector may let go of a forgotten holder while this thread is inside.
        self._lock = RLock()
        self._holders = 0
        self._entered: AbstractContextManager[object] | None = None

    @contextmanager
    def hold(self, make: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
        """Hold the context, which is made and entered if nobody else holds it.

        ``make`` is an argument here and not of the class, so that a context at rest keeps nothing alive.
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
