"""The images with the highest and the lowest s of each channel, selected while shards are added up.

The code of s and the image's rank by name are packed into one integer, so that a partition of integers selects the best
E. Ties go to the image whose name (then hash) sorts first, independent of the order of the shards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from se_viz.types import Int64s, UInt32s

# (2, E, C): highest first, then lowest; smaller is better in both.

_NONE = np.iinfo(np.int64).max
_TOP = (1 << 32) - 1  # the largest code
MISSING = np.iinfo(np.uint32).max


@dataclass(frozen=True)
class ImageTable:
    """Images that are stored or referred to: names, sha256 as hexadecimal digits, and classes, each of length M."""

    names: Sequence[str]
    sha256: Sequence[str]
    labels: UInt32s

    def __len__(self) -> int:
        return len(self.names)

    def order(self) -> Int64s:
        """Return the indices (M,) sorted by name, then hash."""
        listed = sorted(range(len(self)), key=lambda index: (self.names[index], self.sha256[index]))
        return np.array(listed, dtype=np.int64)

    def take(self, indices: Int64s) -> "ImageTable":
        """Return the table of the images at these indices (m,)."""
        picked = indices.tolist()
        return ImageTable([self.names[i] for i in picked], [self.sha256[i] for i in picked], self.labels[indices])


class Ranking:
    """Packing of codes and images of one table into integer keys, and unpacking."""

    def __init__(self, table: ImageTable) -> None:
        self._order = table.order()
        self._rank = np.empty_like(self._order)
        self._rank[self._order] = np.arange(len(self._order))
        self._base = len(table) + 1

    def of_images(self, codes: UInt32s, first: int, examples: int) -> Int64s:
        """Return the best keys of images ``first``, ``first + 1``, … of the table, given their codes (N, C)."""
        wide, rank = codes.astype(np.int64), self._rank[first : first + len(codes), None]
        return best(np.stack([(_TOP - wide) * self._base + rank, wide * self._base + rank]), examples)

    def pack(self, indices: UInt32s, codes: UInt32s, first: int) -> Int64s:
        """Return the keys of examples from a file.

        Args:
            indices: indices (2, E, C) into the file's table, whose first image has index ``first`` in this table.
            codes: codes of their s (2, E, C).
            first: see ``indices``.
        """
        missing = indices == MISSING
        wide, rank = codes.astype(np.int64), self._rank[np.where(missing, 0, indices.astype(np.int64) + first)]
        wide[0] = _TOP - wide[0]
        return np.where(missing, _NONE, wide * self._base + rank)

    def unpack(self, keys: Int64s) -> tuple[Int64s, Int64s]:
        """Return indices into the table, −1 where there are fewer than E images, and codes, (2, E, C) each."""
        missing = keys == _NONE
        whole, rank = np.divmod(np.where(missing, 0, keys), self._base)
        whole[0] = _TOP - whole[0]
        indices = self._order[rank] if len(self._order) else np.zeros_like(rank)
        return np.where(missing, -1, indices), np.where(missing, 0, whole)


def best(keys: Int64s, examples: int) -> Int64s:
    """Return the smallest keys of each channel, sorted: (2, n, C) → (2, E, C)."""
    if keys.shape[1] > examples:
        keys = np.partition(keys, examples - 1, axis=1)[:, :examples]
    kept = np.full((2, examples, keys.shape[2]), _NONE, np.int64)
    kept[:, : keys.shape[1]] = np.sort(keys, axis=1)
    return kept
