"""Runs of the page take turns to begin, so that a quick run does not compete with dozens of others."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Admission:
    """A limit of runs in their first moments at a time; safe between threads.

    Python runs one thread at a time, and any that can run may be next: with 32 pages that open at once, the event loop
    would wait for 32 others again and again. A run has its place until it ends, or for some time, as it may go on to
    wait for something that has nothing to do with the processor.

    Args:
        most: runs at a time.
        seconds: for how long a run has its place at most.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._begun: dict[object, float] = {}
        self._changed = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a place, which others cannot have while the block runs, within its time."""
        place = object()
        with self._changed:
            while len(self._begun) >= self._most:
                first, begun = next(iter(self._begun.items()))
                left = begun + self._seconds - time.monotonic()
                if left <= 0:
                    del self._begun[first]
                else:
                    self._changed.wait(left)
            self._begun[place] = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._begun.pop(place, None)
                self._changed.notify()


RUNS = Admission(most=3, seconds=0.5)
