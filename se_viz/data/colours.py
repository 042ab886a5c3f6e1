"""An image of any mode → 8-bit RGB: the one conversion for files, uploads, datasets and images from Python.

Grey, palette, CMYK, YCbCr, HSV, LAB and 16-bit images become 8-bit RGB, transparent pixels are composited over white,
the EXIF orientation is applied, and large images are reduced.
"""

import numpy as np
from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile

from se_viz.data.tiff import misread
from se_viz.data.transparency import LowBytesLost, clear_colour
from se_viz.types import AnyInts, UInt8s

WORKING_SIDE = 512

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SWAPS_SIDES = frozenset({TURNS[5], TURNS[6], TURNS[7], TURNS[8]})
_TOP_OF_16_BITS = 65535
_TOP_OF_8_BITS = 255
_TO_8_BITS = np.rint(np.arange(_TOP_OF_16_BITS + 1) / 257).astype(np.uint8)
_ROWS_AT_ONCE = 256  # an index array takes eight bytes per pixel


class RangeUnknown(ValueError):
    """An image's values cannot be scaled to 0–255; the message says why, and after a semicolon what to do."""


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return ``rgb(image)`` with the EXIF orientation applied.

    Raises:
        RangeUnknown: see ``rgb``.
    """
    converted = rgb(image)
    # Read after loading: Pillow itself turns a TIFF image when it loads it.
    turn = TURNS.get(orientation_of(image))
    return converted if turn is None else converted.transpose(turn)


def rgb(image: Image.Image) -> Image.Image:
    """Return an image of any mode as 8-bit RGB, without its metadata.

    Transparent pixels are composited over white. Mode I;16 of all byte orders, and mode I as Pillow uses it for 16-bit
    files, are scaled from 0–65535. An image whose shorter side is 2 · WORKING_SIDE pixels or more is reduced by an
    integer factor, by averages over squares, so that WORKING_SIDE or more remains. The given image keeps its mode and
    its pixels.

    Raises:
        RangeUnknown: the image has mode F, or mode I with values that are not those of 16-bit pixels; it was a 16-bit
            PNG with a transparent colour that can no longer be told apart from others; or it is a TIFF file that Pillow
            reads wrongly.
    """
    if wrong := misread(image):
        raise RangeUnknown(wrong)
    try:
        opacity = clear_colour(image)
    except LowBytesLost as lost:
        raise RangeUnknown(str(lost)) from None
    image.load()
    shades = _sixteen_bit(image)
    if shades is not None:
        clear = image.info.get("transparency")
        if opacity is None and isinstance(clear, int):
            opacity = Image.fromarray(np.where(shades == clear, np.uint8(0), np.uint8(255)))
        image = Image.fromarray(_in_8_bits(shades))
    elif image.mode == "La":
        image = image.convert("LA")
    elif isinstance(image, BmpImageFile) and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        image = image.convert("RGB")  # programs that write BMP files leave the alpha channel empty
    elif isinstance(image, GifImageFile):
        opacity = _first_frame(image)
    if opacity is not None:
        image = image.convert("RGB")
        image.info.pop("transparency", None)
        image.putalpha(opacity)
    elif image.mode in ("L", "RGB"):
        image = _with_clear_colour_of_8_bits(image)
    see_through = image.has_transparency_data
    mode = "RGBA" if see_through else "RGB"
    image = image if image.mode == mode else image.convert(mode)
    image = image.reduce(max(1, min(image.size) // WORKING_SIDE))
    if see_through:
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image)
        image = paper
    # Metadata is not needed from here on, and it may contain the place where the photo was taken.
    image.info = {}
    return image


def _first_frame(image: GifImageFile) -> Image.Image | None:
    """Return the opacity of a GIF whose first frame is smaller than the image; None for other frames and images.

    Pillow fills the rest with one of the colours, unless the GIF has a transparent one; browsers leave it transparent.
    """
    extent = getattr(image, "dispose_extent", None)
    if extent is None or image.tell() or image.has_transparency_data or tuple(extent) == (0, 0, *image.size):
        return None
    opacity = Image.new("L", image.size, 0)
    opacity.paste(_TOP_OF_8_BITS, tuple(extent))
    return opacity


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) where it is missing or cannot be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001
        # Broken metadata is no reason to refuse good pixels, and its parser raises errors of many types.
        return 1


def _with_clear_colour_of_8_bits(image: Image.Image) -> Image.Image:
    """Return the image, or a copy whose transparent colour has 8 bits like its pixels: in the file it has 16."""
    clear = image.info.get("transparency")
    values = clear if isinstance(clear, tuple) else (clear,)
    if not all(isinstance(value, int) for value in values) or max(values) <= _TOP_OF_8_BITS:
        return image
    image = image.copy()
    low = tuple(value & _TOP_OF_8_BITS for value in values)
    image.info["transparency"] = low if isinstance(clear, tuple) else low[0]
    return image


def _sixteen_bit(image: Image.Image) -> AnyInts | None:
    """Return the values (H, W), 0–65535, of an image with more than 8 bits per pixel; None for an 8-bit image."""
    if image.mode == "F":
        raise RangeUnknown("it holds fractions (mode F) of unknown range; scale it to 0–255 and mode L")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return None
    shades: AnyInts = np.asarray(image)
    if image.mode != "I" or not shades.size:
        return shades
    low, high = int(shades.min()), int(shades.max())
    if low < 0 or high > _TOP_OF_16_BITS:
        raise RangeUnknown(
            f"it holds 32-bit numbers from {low} to {high}, whose full range is unknown; scale it to 0–255 and mode L"
        )
    # Pillow reads 16-bit PGM files in mode I; for many years it did so with PNG files.
    if high <= _TOP_OF_8_BITS and image.format != "PPM":
        raise RangeUnknown(
            f"it holds 32-bit numbers up to {high}, which may be 8-bit or 16-bit values; convert it to mode L or I;16"
        )
    return shades


def _in_8_bits(shades: AnyInts) -> UInt8s:
    """Return values (H, W) in 0–65535 scaled to 0–255 and rounded."""
    scaled = np.empty(shades.shape, np.uint8)
    for row in range(0, len(shades), _ROWS_AT_ONCE):
        rows = slice(row, row + _ROWS_AT_ONCE)
        scaled[rows] = _TO_8_BITS[shades[rows]]
    return scaled
