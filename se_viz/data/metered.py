"""A file in memory that can be read only so often: what a decoder does in Python is one read a step.

Files can be made of millions of parts of a few bytes: segments, chunks, comments, runs of pixels. Whatever the format
and the part, each costs a read and some microseconds, in which other visitors wait.
"""

import io

# A header of real files takes up to some thousand.
MOST_IN_HEADER = 100_000
_MOST_IN_PIXELS = 4_000_000


class TooManyParts(Exception):
    """The file has been read as often as it may be. No decoder takes this for an error of its own."""


class MeteredFile(io.BytesIO):
    """A file that raises TooManyParts when it has been read too often: ``MOST_IN_HEADER`` times, until ``expect``."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._left = MOST_IN_HEADER

    def expect(self, pixels: int) -> None:
        """Allow as many reads more as the pixels may take: each may be a run, or a packet, of its own."""
        self._left = min(_MOST_IN_PIXELS, MOST_IN_HEADER + pixels)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to so many bytes."""
        self._left -= 1
        if self._left < 0:
            raise TooManyParts
        return super().read(size)
