"""The end of the server: a signal ends it within seconds, regardless of its clients."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

DEADLINE = 6.0  # seconds from the signal
_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "win32":
    _SIGNALS.append(signal.SIGBREAK)
_log = logging.getLogger("uvicorn.error")


@contextmanager
def ends_in_time(deadline: float = DEADLINE) -> Iterator[None]:
    """Inside the block, end the server at the first signal as usual, and the process ``deadline`` seconds later.

    A second signal ends the process at once. Uvicorn waits for connections without a limit (half an upload, or a
    browser that does not read), and Python waits for its threads. Nothing is lost with the process: a pass over a
    dataset keeps each finished shard, and files are written under a temporary name first.

    Outside the main thread, where another program handles signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    ending = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if ending.is_set():
            os._exit(128 + number)
        ending.set()
        threading.Thread(target=_end, args=(deadline, number), name="deadline", daemon=True).start()
        first = before[signal.Signals(number)]
        if callable(first):
            first(number, frame)

    for number in _SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        # A server that has ended restores the handlers itself; here they are restored if there was no signal.
        if not ending.is_set():
            for number, handler in before.items():
                signal.signal(number, handler)


def _end(deadline: float, number: int) -> None:
    threading.Event().wait(deadline)
    _log.warning("Some clients or passes did not end within %.0f seconds: the server ends without them.", deadline)
    logging.shutdown()
    os._exit(128 + number)
