"""The browser that draws PNG, SVG and PDF files: started for one figure, or once for many."""

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager, suppress
from threading import Lock
from typing import Any

from se_viz.figures.svg_font import drawing_page

SECONDS_TO_END = 15
"""Maximum wait for the end of a browser, whose last message can be lost."""

# Each browser takes memory and a processor, and the machine also computes: one at a time.
_turn = Lock()


class Browser:
    """A browser that draws figures; it starts with the first one.

    Its event loop runs in a separate thread, as a notebook has a running one already.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="drawing")
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._browser: Any = None

    def draw(self, figure: Mapping[str, object], options: Mapping[str, object]) -> bytes:
        """Return a figure as the bytes of a file; raises what kaleido and its browser raise."""
        return self._thread.submit(self._draw, figure, options).result()

    def close(self) -> None:
        """End the browser, if it was started."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _draw(self, figure: Mapping[str, object], options: Mapping[str, object]) -> bytes:
        from kaleido import Kaleido

        if self._browser is None:
            opened = Kaleido(n=1, page_generator=drawing_page())
            self._browser = self._runner.run(self._stack.enter_async_context(opened))
        return bytes(self._runner.run(self._browser.calc_fig(figure, opts=options)))

    def _close(self) -> None:
        with self._runner, suppress(TimeoutError):
            self._runner.run(asyncio.wait_for(self._stack.aclose(), SECONDS_TO_END))


@contextmanager
def one_browser() -> Iterator[Browser]:
    """Yield a browser for the figures of a block; other threads wait for its end before they start one."""
    with _turn:
        browser = Browser()
        try:
            yield browser
        finally:
            browser.close()
