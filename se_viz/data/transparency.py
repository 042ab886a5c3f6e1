"""The one transparent colour of a PNG without an alpha channel, compared in all the bits that the file has.

Pillow keeps the high byte of each 16-bit colour, stretches grey of 2 and 4 bits to 8, and keeps the transparent colour
(the chunk tRNS) as it stands in the file: compared so, other colours become transparent too, or none.
"""

import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

_STRETCH = {"L;2": 85, "L;4": 17}
_HIGH, _LOW = "RGB;16B", "RGB;16L"  # how the high and the low byte of a number in PNG's byte order are unpacked
_TOP = 255
_MOST_BYTES = 100_000_000  # of a file that is looked at a second time


class LowBytesLost(ValueError):
    """Half of an image's bits were lost when it was loaded, and its transparent colour needs them."""


def clear_colour(image: Image.Image) -> Image.Image | None:
    """Return the opacity (mode L, 0 or 255) of a PNG image where Pillow would get it wrong; None for every other.

    A file that is not loaded keeps its place, and is not loaded. For an image that is loaded, its file is looked at
    where it is open or has a name, and is still the same.

    Raises:
        LowBytesLost: the colours of 16 bits were cut to 8, the file is not there, and some of the colours may be the
            transparent one as well as one that is close to it.
    """
    if not isinstance(image, PngImagePlugin.PngImageFile):
        return _of_high_bytes(image)
    if len(image.tile) == 1 and image.fp is not None:
        return _of_file(_content(image), image.tile[0].args)
    if "transparency" not in image.info or image.mode not in ("L", "RGB"):
        return None
    found = _looked_up(image)
    return _of_high_bytes(image) if found is None else found


def _of_file(content: bytes, rawmode: object) -> Image.Image | None:
    """The opacity of the first image of a file whose pixels are packed in a way that Pillow compares wrongly."""
    if (rawmode not in _STRETCH and rawmode != _HIGH) or b"tRNS" not in content:
        return None
    again = _unpacked(content)
    clear = again.info.get("transparency")
    if isinstance(clear, int) and rawmode in _STRETCH:
        # Of the two bytes of the transparent colour, as many bits count as a pixel has.
        return _opaque(np.asarray(again) != clear % (_TOP // _STRETCH[rawmode] + 1) * _STRETCH[rawmode])
    if isinstance(clear, tuple) and rawmode == _HIGH:
        differ = _differ(again, [value >> 8 for value in clear])
        del again
        return _opaque(differ | _differ(_unpacked(content, _LOW), [value & _TOP for value in clear]))
    return None


def _of_high_bytes(image: Image.Image) -> Image.Image | None:
    """The opacity of a loaded image whose colours had 16 bits, where their high bytes tell enough."""
    clear = image.info.get("transparency")
    if image.mode != "RGB" or not isinstance(clear, tuple) or max(clear) <= _TOP:
        return None
    differ = _differ(image, [value >> 8 for value in clear])
    if not differ.all():
        raise LowBytesLost(
            "it was a PNG of 16 bits with a transparent colour, and half of its bits were lost when it was loaded; "
            "give its file to se_viz.read_paths, or the image as Image.open returns it, not loaded and not copied"
        )
    return _opaque(differ)


def _looked_up(image: PngImagePlugin.PngImageFile) -> Image.Image | None:
    """The opacity of a loaded image, from its file; None where that is gone, or is another by now, or says nothing."""
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
        return None  # What is there now is no PNG that can be read: decoders raise errors of many types.
    return _of_file(content, rawmode) if same else None


def _differ(image: Image.Image, colour: list[int]) -> npt.NDArray[np.bool_]:
    """Where (H, W) an image of 8 bits has another colour."""
    differs: npt.NDArray[np.bool_] = np.zeros(image.size[::-1], np.bool_)
    for plane, value in zip(image.split(), colour, strict=True):
        differs |= np.asarray(plane) != np.uint8(value)
    return differs


def _opaque(pixels: npt.NDArray[np.bool_]) -> Image.Image:
    return Image.fromarray(np.where(pixels, np.uint8(255), np.uint8(0)))


def _content(image: PngImagePlugin.PngImageFile) -> bytes:
    """The whole file, which is open and keeps its place."""
    file = image.fp
    assert file is not None  # noqa: S101 - seen by the caller
    place = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(place)
    return content


def _unpacked(content: bytes, rawmode: str = "") -> Image.Image:
    """The pixels of a file, unpacked in another way than usual if one is named."""
    with Image.open(io.BytesIO(content), formats=["PNG"]) as again:
        if rawmode:
            again.tile = [tile._replace(args=rawmode) for tile in again.tile]
        again.load()
        return again
