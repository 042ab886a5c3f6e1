"""Images decoded side by side, some files at a time, with the results in the order of the files."""

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
# Small files go to a child process together, as each trip takes some milliseconds.
MOST_FILES, MOST_BYTES = 8, 2_000_000


class Batches:
    """Takes files and sentences in order. Used in a ``with`` block; an error in it leaves what is not begun undone.

    Attributes:
        images: what is decoded so far → its name; of files that are the same only the first.
        refusals: sentences on the others so far.
        left_out: how many files were not taken as there were enough; counted by the caller.
    """

    def __init__(self, decode_all: Decode, limit: int, most_files: int = MOST_FILES) -> None:
        self.images: dict[InputImage, str] = {}
        self.refusals: list[str] = []
        self.left_out = 0
        self._decode = decode_all
        self._limit = limit
        self._most_files = most_files
        self._batch: list[tuple[str, bytes]] = []
        self._begun: deque[tuple[int, Future[Sequence[Outcome]] | str]] = deque()
        self._pool = ThreadPoolExecutor(WORKERS)

    def __enter__(self) -> "Batches":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=error is not None)

    def add(self, label: str, content: bytes) -> None:
        """Take a file to decode."""
        self._batch.append((label, content))
        if len(self._batch) >= self._most_files or sum(len(content) for _, content in self._batch) >= MOST_BYTES:
            self._begin()

    def reject(self, sentence: str) -> None:
        """Take a sentence, at the place of the file it is about."""
        self._begin()
        self._begun.append((0, sentence))

    def is_full(self) -> bool:
        """Whether there are ``limit`` images; waits for those being decoded if they may be the last."""
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
        """How many files may become images yet."""
        return len(self._batch) + sum(files for files, _ in self._begun)

    def _begin(self) -> None:
        if self._batch:
            self._begun.append((len(self._batch), self._pool.submit(self._decode, self._batch)))
            self._batch = []

    def _settle(self) -> None:
        """Take the results of the files that came first."""
        _, begun = self._begun.popleft()
        if isinstance(begun, str):
            self.refusals.append(begun)
            return
        for outcome in begun.result():
            if isinstance(outcome, ImageRefused):
                self.refusals.append(str(outcome))
            elif twin := self.images.get(outcome):
                self.refusals.append(f"{outcome.name} was left out: it is the same file as {twin}.")
            else:
                self.images[outcome] = outcome.name


def decode_here(files: Sequence[tuple[str, bytes]]) -> list[Outcome]:
    """Decode files in this process, one after the other."""
    return [_decoded(*file) for file in files]


def _decoded(label: str, content: bytes) -> Outcome:
    try:
        return decode(label, content)
    except ImageRefused as refused:
        return refused


def named(outcome: Outcome, label: str) -> Outcome:
    """Return the same under a name that says the folder, too."""
    if isinstance(outcome, ImageRefused):
        return ImageRefused(label, outcome.reason)
    return replace(outcome, name=label)
