"""PBM, PGM and PPM files: heads that Pillow may read, and pixels that it would scale one by one in Python.

Pillow reads their head byte by byte, comments of any length too, and in Python numbers that are written as text or
have another maximum than 255 or 65,535: a minute for 50 MB.
"""

import io
import re

import numpy as np
from PIL import ImageFile

SIGNATURES = tuple(b"P%d" % kind for kind in range(10))
MAX_TEXT = 2_000_000
MAX_COMMENTS = 100  # between numbers that are text; Pillow moves what stands behind each

_HEAD = re.compile(rb"P[1-6](?:\s+(?:#[^\r\n]*[\r\n]\s*)*\d{1,10}){2,3}\s")
_HEAD_BYTES = 1000
_AS_TEXT = (b"P1", b"P2", b"P3")
_SCALED_IN_PYTHON = "ppm"  # as Pillow calls the decoder
_AT_ONCE = 1 << 20  # an index array takes eight bytes a number


def refusal(content: bytes) -> str:
    """Return why Pillow must not be given a file that begins with one of the signatures; empty if it may be."""
    if not _HEAD.match(content[:_HEAD_BYTES]):
        return "it is not an image, or its first bytes are damaged"
    if content.startswith(_AS_TEXT):
        if len(content) > MAX_TEXT:
            return f"it is a PPM file written as text of more than {MAX_TEXT // 10**6} MB"
        if content.count(b"#") > MAX_COMMENTS:
            return f"it is a PPM file written as text with more than {MAX_COMMENTS} comments"
    return ""


def scale(file: ImageFile.ImageFile, content: bytes) -> None:
    """Give an opened file its pixels in a scale that Pillow reads at once, if it has another.

    The numbers become the same that Pillow would make of them, in 8 bits or, grey of more than 8 bits, in 16.

    Raises:
        ValueError: the file is cut short.
    """
    if len(file.tile) != 1 or file.tile[0].codec_name != _SCALED_IN_PYTHON:
        return
    _, _, start, args = file.tile[0]
    assert isinstance(args, tuple)  # noqa: S101 - the raw mode and the maximum
    most = int(args[1])
    top, rawmode, out = (65_535, "I;16B", ">u2") if file.mode == "I" else (255, file.mode, "u1")
    dtype = np.dtype("u1" if most <= 255 else ">u2")
    given = np.frombuffer(content, dtype, file.width * file.height * len(file.getbands()), start)
    shades = np.minimum(np.rint(np.arange(256**dtype.itemsize) / most * top), top).astype(out)
    scaled = np.empty(given.shape, out)
    for place in range(0, given.size, _AT_ONCE):
        part = slice(place, place + _AT_ONCE)
        scaled[part] = shades[given[part]]
    file.fp = io.BytesIO(scaled.tobytes())
    file.tile = [ImageFile._Tile("raw", (0, 0, *file.size), 0, rawmode)]
