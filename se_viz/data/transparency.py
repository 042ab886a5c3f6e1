"""The one transparent colour of a PNG without an alpha channel, compared in all bits of the file.

Pillow keeps the high byte of each 16-bit colour and stretches grey of 2 and 4 bits to 8, but keeps the transparent
colour (the chunk tRNS) as it is in the file. Compared this way, other colours become transparent too, or no colour
does.
"""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from se_viz.types import Bools

_STRETCH = {"L;2": 85, "L;4": 17}
_HIGH, _LOW = "RGB;16B", "RGB;16L"  # raw modes that unpack the high and the low byte of a value in PNG's byte order
_TOP = 255
_MOST_BYTES = 100_000_000  # the largest file that is read a second time


class LowBytesLost(ValueError):
    """Half of an image's bits were lost when it was loaded, and its transparent colour needs them."""


def clear_colour(image: Image.Image) -> Image.Image | None:
    """Return the opacity (mode L, 0 or 255) of a PNG image where Pillow would get it wrong; None for all others.

    An image that is not loaded stays so, and its file keeps its position. For a loaded image, its file is read if it is
    open or has a name, and is still the same.

    Raises:
        LowBytesLost: the 16-bit colours were cut to 8 bits, the file is no longer available, and some colours may be
            the transparent one or one close to it.
    """
    if not isinstance(image, PngImagePlugin.PngImageFile):
        return _of_high_bytes(image)
    if len(image.tile) == 1 and image.fp is not None:
        return _of_file(_content(image), image.tile[0].args)
    if "transparency" not in image.info or image.mode not in ("L", "RGB"):
        return None
    opacity = _read_again(image)
    return _of_high_bytes(image) if opacity is None else opacity


def _of_file(content: bytes, rawmode: object) -> Image.Image | None:
    """Return the opacity of the first image of a file whose packed pixels Pillow compares wrongly, else None."""
    if (rawmode not in _STRETCH and rawmode != _HIGH) or b"tRNS" not in content:
        return None
    again = _unpacked(content)
    clear = again.info.get("transparency")
    if isinstance(clear, int) and rawmode in _STRETCH:
        # The transparent colour has two bytes, of which only as many bits count as a pixel has.
        return _opaque(np.asarray(again) != clear % (_TOP // _STRETCH[rawmode] + 1) * _STRETCH[rawmode])
    if isinstance(clear, tuple) and rawmode == _HIGH:
        differ = _differ(again, [value >> 8 for value in clear])
        del again
        return _opaque(differ | _differ(_unpacked(content, _LOW), [value & _TOP for value in clear]))
    return None


def _of_high_bytes(image: Image.Image) -> Image.Image | None:
    """Return the opacity of a loaded image whose colours had 16 bits, if their high bytes determine it."""
    clear = image.info.get("transparency")
    if image.mode != "RGB" or not isinstance(clear, tuple) or max(clear) <= _TOP:
        return None
    differ = _differ(image, [value >> 8 for value in clear])
    if not differ.all():
        raise LowBytesLost(
            "it was a 16-bit PNG with a transparent colour, and half of its bits were lost when it was loaded; give "
            "its file to se_viz.read_paths, or the image as Image.open returns it, neither loaded nor copied"
        )
    return _opaque(differ)


def _read_again(image: PngImagePlugin.PngImageFile) -> Image.Image | None:
    """Return the opacity of a loaded image from its file; None if the file is gone or changed, or needs no opacity."""
    try:
        if image.fp is not None and not image.fp.closed:
            content = _content(image)
        elif (path := Path(os.fsdecode(image.filename))).is_file() and path.stat().st_size <= _MOST_BYTES:
            content = path.read_bytes()
        else:
            return None
        with Image.open(io.BytesIO(content), formats=["PNG"]) as again:
            rawmode = again.tile[0].args
            same = (
                again.mode == image.mode
                and again.size == image.size
                and np.array_equal(np.asarray(again), np.asarray(image))
            )
    except Exception:  # noqa: BLE001
        return None  # the file is no longer a readable PNG; decoders raise errors of many types
    return _of_file(content, rawmode) if same else None


def _differ(image: Image.Image, colour: list[int]) -> Bools:
    """Return where (H, W) an 8-bit image has another colour."""
    differs: Bools = np.zeros(image.size[::-1], np.bool_)
    for plane, value in zip(image.split(), colour, strict=True):
        differs |= np.asarray(plane) != np.uint8(value)
    return differs


def _opaque(pixels: Bools) -> Image.Image:
    return Image.fromarray(np.where(pixels, np.uint8(255), np.uint8(0)))


def _content(image: PngImagePlugin.PngImageFile) -> bytes:
    """Return the bytes of the image's open file, which keeps its position."""
    file = image.fp
    assert file is not None  # noqa: S101 - checked by the caller
    position = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(position)
    return content


def _unpacked(content: bytes, rawmode: str = "") -> Image.Image:
    """Return the image of a file, unpacked by ``rawmode`` if it is not empty."""
    with Image.open(io.BytesIO(content), formats=["PNG"]) as again:
        if rawmode:
            again.tile = [tile._replace(args=rawmode) for tile in again.tile]
        again.load()
        return again
