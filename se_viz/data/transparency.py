"""The one transparent colour of a PNG without an alpha channel, compared in all the bits that the file has.

Pillow keeps the high byte of each 16-bit colour, stretches grey of 2 and 4 bits to 8, and keeps the transparent colour
(the chunk tRNS) as it stands in the file: compared so, other colours become transparent too, or none.
"""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

_STRETCH = {"L;2": 85, "L;4": 17}
_HIGH, _LOW = "RGB;16B", "RGB;16L"  # how the high and the low byte of a number in PNG's byte order are unpacked


def clear_colour(image: Image.Image) -> Image.Image | None:
    """Return the opacity (mode L, 0 or 255) of a PNG file that is not loaded yet, where Pillow would get it wrong.

    None for every other image. The file keeps its place, and is not loaded.
    """
    if not isinstance(image, PngImagePlugin.PngImageFile) or len(image.tile) != 1 or image.fp is None:
        return None
    clear, rawmode = image.info.get("transparency"), image.tile[0].args
    if isinstance(clear, int) and rawmode in _STRETCH:
        return _opaque(np.asarray(_again(image)) != clear * _STRETCH[rawmode])
    if isinstance(clear, tuple) and rawmode == _HIGH:
        high, low = np.asarray(_again(image)), np.asarray(_again(image, _LOW))
        wanted = np.array(clear)
        return _opaque(((high != wanted >> 8) | (low != wanted & 255)).any(axis=-1))
    return None


def _opaque(pixels: npt.NDArray[np.bool_]) -> Image.Image:
    return Image.fromarray(np.where(pixels, np.uint8(255), np.uint8(0)))


def _again(image: PngImagePlugin.PngImageFile, rawmode: str = "") -> Image.Image:
    """The pixels of the same file once more, unpacked in another way if one is named."""
    file = image.fp
    assert file is not None  # noqa: S101 - seen by the caller
    place = file.tell()
    file.seek(0)
    content = io.BytesIO(file.read())
    file.seek(place)
    with Image.open(content, formats=["PNG"]) as again:
        if rawmode:
            again.tile = [tile._replace(args=rawmode) for tile in again.tile]
        again.load()
        return again.copy()
