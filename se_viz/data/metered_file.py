"""A file in memory with a limited number of reads, which bounds the work of decoders that are written in Python.

Files can consist of millions of parts of a few bytes: segments, chunks, comments, runs of pixels. In all formats each
part costs a read and some microseconds, during which other visitors wait.
"""

import io

# The header of a real file takes at most some thousand reads.
MOST_IN_HEADER = 100_000
_MOST_IN_PIXELS = 4_000_000


class TooManyParts(Exception):
    """The allowed number of reads is used up. No decoder mistakes this for one of its own errors."""


class MeteredFile(io.BytesIO):
    """A file that raises TooManyParts after ``MOST_IN_HEADER`` reads, or the number that ``expect`` allows."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._left = MOST_IN_HEADER

    def expect(self, pixels: int) -> None:
        """Allow the reads that the pixels may take: each pixel may be a separate run or packet."""
        self._left = min(_MOST_IN_PIXELS, MOST_IN_HEADER + pixels)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most ``size`` bytes."""
        self._left -= 1
        if self._left < 0:
            raise TooManyParts
        return super().read(size)
