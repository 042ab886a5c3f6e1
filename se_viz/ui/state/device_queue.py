"""The queue of a device: sessions submit one image at a time, and images run in the order of submission."""

from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

import streamlit as st

T = TypeVar("T")

_GLANCE = 0.2  # seconds between two checks whether the work is done


class Line:
    """The queue of one device: a single thread does the work in order.

    There is one thread because a forward pass already uses all cores or the whole GPU, and a second one at the same
    time would only take memory.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="captures")
        self._unfinished: list[Future[object]] = []
        self._lock = Lock()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Put work at the end of the queue."""
        future = self._executor.submit(work)
        with self._lock:
            self._unfinished.append(future)  # type: ignore[arg-type]
        future.add_done_callback(self._finished)  # type: ignore[arg-type]
        return future

    def ahead(self, future: Future[T]) -> int:
        """Return the number of items before this one, including the one that runs."""
        with self._lock:
            return self._unfinished.index(future) if future in self._unfinished else 0  # type: ignore[arg-type]

    def _finished(self, future: Future[object]) -> None:
        with self._lock:
            self._unfinished.remove(future)


@st.cache_resource(show_spinner=False)
def line(device: str) -> Line:
    """Return the queue of a device, which all sessions share."""
    del device
    return Line()


def _nothing(ahead: int) -> None:
    """Show nothing."""


def take(work: Callable[[], T], device: str, show: Callable[[int], object] = _nothing) -> T:
    """Do work when its turn on a device has come, see ``wait``; if the wait ends early, the work leaves the queue."""
    future = line(device).submit(work)
    try:
        return wait(future, device, show)
    finally:
        future.cancel()  # has no effect on work that has begun


def wait(future: Future[T], device: str, show: Callable[[int], object]) -> T:
    """Return the result of the work; while waiting, call ``show`` every 0.2 s with the number of items ahead.

    A click meanwhile ends this run of the page; the work continues, and the next run that asks for it gets the result.
    """
    while not futures.wait([future], timeout=_GLANCE).done:
        show(line(device).ahead(future))
    return future.result()
