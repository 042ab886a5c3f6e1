"""How many pixels are being decoded at a time, over all sessions of the process.

A file of 34 bytes can decode to 100 million pixels, which take up to 16 bytes each while they are: only what fits the
budget is decoded at once, and the rest waits in the order in which it came.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeAlias

ShouldCancel: TypeAlias = Callable[[], bool]

SETTING = "SE_VIZ_PIXELS_AT_ONCE"
# 2 GB at most, as no format takes more than 16 bytes a pixel (WebP, measured): a machine of 8 GB has room for that.
AT_ONCE = 125_000_000
BYTES_A_PIXEL = 16

_GLANCE = 0.1  # seconds between two looks at whether the one who waits has gone


class Waits(Exception):
    """An image is not decoded now, though nothing may be wrong with it."""


class Gone(Waits):
    """The one who asked for images has gone."""


class SettingWrong(ValueError):
    """A setting is no number; the message says what to do."""


class Budget:
    """So many pixels in decoding at a time; who comes first is served first."""

    def __init__(self, pixels: int) -> None:
        self._all = self._left = pixels
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def left(self) -> int:
        """How many pixels could be decoded now."""
        return self._left

    @contextmanager
    def hold(self, pixels: int, cancelled: ShouldCancel | None = None) -> Iterator[None]:
        """Wait for its turn to decode so many pixels, which others cannot while the block runs.

        More than the whole budget is let through when nothing else is decoded.

        Raises:
            Gone: ``cancelled``, which is asked ten times a second in this thread, said so.
        """
        pixels = min(pixels, self._all)
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or pixels > self._left:
                    if cancelled is not None and cancelled():
                        raise Gone
                    self._changed.wait(None if cancelled is None else _GLANCE)
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
        SettingWrong: that is no number of pixels.
    """
    stated = os.environ.get(SETTING) or str(AT_ONCE)
    try:
        pixels = float(stated)
    except ValueError:
        pixels = -1.0
    if not 1e6 <= pixels < 1e15:
        raise SettingWrong(f"{SETTING} is {stated!r}: give a number of pixels from 1e6, as in 250e6.")
    return Budget(int(pixels))
