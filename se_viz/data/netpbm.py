"""PBM, PGM and PPM files: checks of their headers, and scaling of pixels that Pillow would scale one by one.

Pillow reads the header byte by byte, including comments of any length. It reads values that are written as text, or
whose maximum is neither 255 nor 65,535, in Python, which takes a minute for 50 MB.
"""

import io
import re

import numpy as np
from PIL import ImageFile

SIGNATURES = tuple(b"P%d" % kind for kind in range(10))
MAX_TEXT = 2_000_000
MAX_COMMENTS = 100  # comments between values that are text; Pillow moves the rest of the file for each

_HEAD = re.compile(rb"P[1-6](?:\s+(?:#[^\r\n]*[\r\n]\s*)*\d{1,10}){2,3}\s")
_HEAD_BYTES = 1000
_AS_TEXT = (b"P1", b"P2", b"P3")
_SCALED_IN_PYTHON = "ppm"  # Pillow's name of the decoder
_AT_ONCE = 1 << 20  # an index array takes eight bytes per value


def refusal(content: bytes) -> str:
    """Return why Pillow must not read a file that begins with one of the signatures; empty if it may."""
    if not _HEAD.match(content[:_HEAD_BYTES]):
        return "it is not an image, or its first bytes are damaged"
    if content.startswith(_AS_TEXT):
        if len(content) > MAX_TEXT:
            return f"it is a PPM file written as text of more than {MAX_TEXT // 10**6} MB"
        if content.count(b"#") > MAX_COMMENTS:
            return f"it is a PPM file written as text with more than {MAX_COMMENTS} comments"
    return ""


def scale(file: ImageFile.ImageFile, content: bytes) -> None:
    """Scale the pixels of an opened file, if needed, so that Pillow reads them in one step.

    The values are the same as Pillow's: 8-bit, or 16-bit for grey of more than 8 bits.

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
    values = np.frombuffer(content, dtype, file.width * file.height * len(file.getbands()), start)
    shades = np.minimum(np.rint(np.arange(256**dtype.itemsize) / most * top), top).astype(out)
    scaled = np.empty(values.shape, out)
    for first in range(0, values.size, _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        scaled[part] = shades[values[part]]
    file.fp = io.BytesIO(scaled.tobytes())
    file.tile = [ImageFile._Tile("raw", (0, 0, *file.size), 0, rawmode)]
