"""Whose turn it is on a device: sessions hand in one image at a time, which run in the order they came."""

from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

import streamlit as st

T = TypeVar("T")

_GLANCE = 0.2  # seconds between two looks at whether it is done


class Line:
    """The line before one device: a single thread takes its work in order.

    One thread, as a forward pass already takes all cores or the whole GPU, and two at once only take memory.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="readings")
        self._unfinished: list[Future[object]] = []
        self._lock = Lock()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Put work at the end of the line."""
        future = self._executor.submit(work)
        with self._lock:
            self._unfinished.append(future)  # type: ignore[arg-type]
        future.add_done_callback(self._finished)  # type: ignore[arg-type]
        return future

    def ahead(self, future: Future[T]) -> int:
        """How many others come before it, the one that runs included."""
        with self._lock:
            return self._unfinished.index(future) if future in self._unfinished else 0  # type: ignore[arg-type]

    def _finished(self, future: Future[object]) -> None:
        with self._lock:
            self._unfinished.remove(future)


@st.cache_resource(show_spinner=False)
def line(device: str) -> Line:
    """The line before a device, which all sessions share."""
    del device
    return Line()


def _nothing(ahead: int) -> None:
    """Show nothing."""


def take(work: Callable[[], T], device: str, show: Callable[[int], object] = _nothing) -> T:
    """Do work when its turn on a device has come, see ``wait``; what ends the wait takes it off the line."""
    future = line(device).submit(work)
    try:
        return wait(future, device, show)
    finally:
        future.cancel()  # does nothing to work that has begun


def wait(future: Future[T], device: str, show: Callable[[int], object]) -> T:
    """What the work gives; while it takes longer than a glance, ``show`` is told how many are ahead.

    A click meanwhile ends this run of the page, and the work goes on for whoever asks for it next.
    """
    while not futures.wait([future], timeout=_GLANCE).done:
        show(line(device).ahead(future))
    return future.result()
