"""Right and wrong answers to the validation images, in an order that every reader of the images can repeat."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from se_viz.types import Bools


@dataclass(frozen=True, slots=True)
class RightAnswers:
    """One bit for each image, so that two networks can be compared image by image without weights or data.

    Attributes:
        images: number of images N.
        order: digest of the order, which is that of the sorted sha256 of the images' files (``order_of``).
        bits: a bit for each image in that order, 1 if it is classified correctly, eight a byte with the first image in
            the highest bit, as base64.

    Raises:
        ValueError: there is not a bit for each image.
    """

    images: int
    order: str
    bits: str

    def __post_init__(self) -> None:
        try:
            length = len(base64.b64decode(self.bits, validate=True))
        except binascii.Error as error:
            raise ValueError(f"bits are not base64 ({error})") from error
        if self.images < 1 or length != (self.images + 7) // 8:
            raise ValueError(f"{length} bytes are not a bit for each of {self.images} images")

    @classmethod
    def of(cls, right: Bools, sha256: Sequence[str]) -> "RightAnswers":
        """Return the bits of N images.

        Args:
            right: whether each image is classified correctly (N,).
            sha256: sha256 of each image's file, as hexadecimal digits, in the order of ``right``.
        """
        if len(right) != len(sha256):
            raise ValueError(f"{len(right)} answers need as many hashes, not {len(sha256)}.")
        # A file that occurs twice, in two classes, has two bits; the wrong answer comes first.
        listed = sorted(zip(sha256, right.tolist(), strict=True))
        bits = base64.b64encode(packed(np.array([one for _, one in listed], bool))).decode()
        return cls(len(right), order_of(sha256), bits)

    def unpacked(self) -> Bools:
        """Return whether each image is classified correctly (N,), in the order of the hashes."""
        bits = np.frombuffer(base64.b64decode(self.bits), np.uint8)
        return np.unpackbits(bits, count=self.images).astype(bool)

    def same_images(self, answers: "RightAnswers") -> bool:
        """Return True if both are answers to the same files."""
        return (self.images, self.order) == (answers.images, answers.order)


def order_of(sha256: Sequence[str]) -> str:
    """Return the sha256 of the sorted hashes, one a line: the same for the same files in any order and folder."""
    return hashlib.sha256("\n".join(sorted(sha256)).encode()).hexdigest()


def packed(right: Bools) -> bytes:
    """Return a bit for each of the answers (N,), eight a byte, the first in the highest bit."""
    return np.packbits(right).tobytes()
