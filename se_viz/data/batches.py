"""Files decoded in parallel, in batches, with the results in the order of the files."""

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import TypeAlias

from se_viz.data.images import ImageRefused, InputImage, decode

Outcome: TypeAlias = InputImage | ImageRefused
Decode: TypeAlias = Callable[[Sequence[tuple[str, bytes]]], Sequence[Outcome]]

# Pillow decodes without the interpreter's lock.
WORKERS = min(4, os.cpu_count() or 1)
# Small files go to a child process together, as each call of one takes some milliseconds.
MOST_FILES, MOST_BYTES = 8, 2_000_000


class Batches:
    """A queue of files to decode. Use it in a ``with`` block; an error in the block cancels the work not yet begun.

    Attributes:
        images: each image decoded so far → its name; of identical files only the first is kept.
        refusals: sentences on the other files so far.
        left_out: how many files were not decoded because the limit was reached; the caller counts them.
    """

    def __init__(self, decode_all: Decode, limit: int, most_files: int = MOST_FILES) -> None:
        self.images: dict[InputImage, str] = {}
        self.refusals: list[str] = []
        self.left_out = 0
        self._decode = decode_all
        self._limit = limit
        self._most_files = most_files
        self._batch: list[tuple[str, bytes]] = []
        # Batches and sentences in the order of the files; each batch with its number of files.
        self._begun: deque[tuple[int, Future[Sequence[Outcome]] | str]] = deque()
        self._pool = ThreadPoolExecutor(WORKERS)

    def __enter__(self) -> "Batches":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=error is not None)

    def add(self, label: str, content: bytes) -> None:
        """Add a file to decode."""
        self._batch.append((label, content))
        if len(self._batch) >= self._most_files or sum(len(content) for _, content in self._batch) >= MOST_BYTES:
            self._begin()

    def reject(self, sentence: str) -> None:
        """Add a sentence in place of the file that it is about."""
        self._begin()
        self._begun.append((0, sentence))

    def is_full(self) -> bool:
        """Return whether ``limit`` images are decoded; wait for files being decoded if they may reach the limit."""
        while len(self._begun) >= 2 * WORKERS:
            self._settle()
        while len(self.images) + self._waiting >= self._limit and self._waiting:
            self._begin()
            self._settle()
        return len(self.images) >= self._limit

    def finish(self) -> None:
        """Wait for the last images."""
        self._begin()
        while self._begun:
            self._settle()

    @property
    def _waiting(self) -> int:
        """The number of files that may still become images."""
        return len(self._batch) + sum(files for files, _ in self._begun)

    def _begin(self) -> None:
        if self._batch:
            self._begun.append((len(self._batch), self._pool.submit(self._decode, self._batch)))
            self._batch = []

    def _settle(self) -> None:
        """Wait for the oldest batch, and add its results."""
        _, begun = self._begun.popleft()
        if isinstance(begun, str):
            self.refusals.append(begun)
            return
        for outcome in begun.result():
            if isinstance(outcome, ImageRefused):
                self.refusals.append(str(outcome))
            elif same := self.images.get(outcome):
                self.refusals.append(f"{outcome.name} was left out: it is the same file as {same}.")
            else:
                self.images[outcome] = outcome.name


def decode_here(files: Sequence[tuple[str, bytes]]) -> list[Outcome]:
    """Decode files one after another in this process."""
    return [_decoded(*file) for file in files]


def _decoded(label: str, content: bytes) -> Outcome:
    try:
        return decode(label, content)
    except ImageRefused as refused:
        return refused


def named(outcome: Outcome, label: str) -> Outcome:
    """Return the outcome under another name, which includes the folder."""
    if isinstance(outcome, ImageRefused):
        return ImageRefused(label, outcome.reason)
    return replace(outcome, name=label)
