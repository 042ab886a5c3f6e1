"""A budget of pixels that are decoded at a time, over all sessions of the process.

A file of 34 bytes can decode to 100 million pixels, each of which takes up to 16 bytes during decoding. Only images
that fit the budget are decoded at once; the others wait in order of arrival.
"""

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from se_viz.types import ShouldCancel

SETTING = "SE_VIZ_PIXELS_AT_ONCE"
# At most 2 GB, as no format takes more than 16 bytes per pixel (WebP, measured): a machine with 8 GB has enough memory.
AT_ONCE = 125_000_000
BYTES_A_PIXEL = 16

_POLL = 0.1  # seconds between two checks for cancellation


class Waits(Exception):
    """An image is not decoded now, for a reason that is not in the file."""


class Gone(Waits):
    """The reading of images was cancelled."""


class SettingWrong(ValueError):
    """A setting is not a valid number; the message says what to do."""


class Budget:
    """A number of pixels that may be decoded at a time; requests are served in order of arrival."""

    def __init__(self, pixels: int) -> None:
        self._all = self._left = pixels
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def left(self) -> int:
        """The number of pixels that could be decoded now."""
        return self._left

    @contextmanager
    def hold(self, pixels: int, cancelled: ShouldCancel | None = None) -> Iterator[None]:
        """Wait until ``pixels`` of the budget are free, and reserve them while the block runs.

        A request for more than the whole budget is served when nothing else is decoded.

        Raises:
            Gone: ``cancelled``, which is called ten times a second in this thread, returned True.
        """
        pixels = min(pixels, self._all)
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or pixels > self._left:
                    if cancelled is not None and cancelled():
                        raise Gone
                    self._changed.wait(None if cancelled is None else _POLL)
                self._left -= pixels
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._left += pixels
                self._changed.notify_all()


@cache
def budget() -> Budget:
    """Return the budget of this process: ``SE_VIZ_PIXELS_AT_ONCE`` ("250e6"), or 125 million pixels.

    Raises:
        SettingWrong: the variable is not a number of pixels.
    """
    stated = os.environ.get(SETTING) or str(AT_ONCE)
    try:
        pixels = float(stated)
    except ValueError:
        pixels = -1.0
    if not 1e6 <= pixels < 1e15:
        raise SettingWrong(f"{SETTING} is {stated!r}: give a number of pixels from 1e6, as in 250e6.")
    return Budget(int(pixels))
