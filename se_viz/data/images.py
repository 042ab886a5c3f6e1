"""The bytes of an upload → a safe RGB image.

The code treats the bytes as hostile: it has a closed list of formats, limits that are checked in the header before any
pixel is decoded, a bound on how often a file is read, and one exception type for all errors of decoders. The time and
memory of the decoders themselves are bounded where they run in a child process, see ``data.untrusted``.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import TypeAlias

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from PIL.BmpImagePlugin import BmpImageFile

from se_viz import former_names
from se_viz.data import jpeg, netpbm, pixels, webp
from se_viz.data.colours import SWAPS_SIDES, TURNS, WORKING_SIDE, RangeUnknown, orientation_of, rgb
from se_viz.data.metered_file import MeteredFile, TooManyParts
from se_viz.data.rejected import Refused, shown
from se_viz.data.tiff import SIGNATURES, TiffRefused, first_image, unusual

# Pillow imports all its plugins when it needs one that is not imported yet.
_PLUGINS = (AvifImagePlugin, GifImagePlugin, PngImagePlugin, PpmImagePlugin, TiffImagePlugin, WebPImagePlugin)
# Takes a number of pixels, and reserves memory for them inside a block.
ReserveMemory: TypeAlias = Callable[[int], AbstractContextManager[None]]

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "AVIF", "TIFF")
MAX_BYTES = 50_000_000
MAX_PIXELS = 100_000_000
MIN_SIDE = 8
# A model scales the shorter side up to its input: a strip of 8 × 1,000,000 pixels would become 128 × 16,000,000.
MAX_ASPECT = 10
# Pillow unpacks run-length encoded pixels in Python, partly pixel by pixel.
MAX_RLE_PIXELS = 16_000_000
_RUNS = (BmpImageFile.COMPRESSIONS["RLE8"], BmpImageFile.COMPRESSIONS["RLE4"])

_TOO_MANY_PARTS = "it has more parts than an ordinary image (comments, segments, empty blocks); save it again"
_SAVE_AS = "save it as JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF or PPM"
# (offset of the signature, the signature, a noun for such a file)
_UNSUPPORTED = (
    (0, b"8BPS", "a Photoshop file"),
    (0, b"%PDF", "a PDF file"),
    (0, b"PK\3\4", "a ZIP archive or an office document"),
    *(
        (4, b"ftyp" + brand, "a HEIC photo")
        for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
    ),
    (4, b"ftyp", "a video or a photo in a video's container"),
    (4, b"JXL ", "a JPEG XL file"),
    (0, b"\xff\x0a", "a JPEG XL file"),
    (4, b"jP  ", "a JPEG 2000 file"),
)


_AVIF = (b"ftypavif", b"ftypavis")
_HEAD = 1000  # bytes in which a web page or a drawing begins


@former_names.with_former_fields
@dataclass(frozen=True, slots=True)
class InputImage:
    """A decoded upload. Two are equal when their files are.

    Attributes:
        name: the file's name, safe to show; never a path.
        sha256: hash of the file's bytes, hexadecimal.
        rgb: its pixels, upright; the shorter side is at most 2 · WORKING_SIDE - 1 pixels.
        original_size: width and height in pixels before any reduction, upright.
        licence: author and licence where they are known, else empty.
        shows: the classes of Imagenette that it shows, which may be none; None where this is not known.
    """

    name: str = field(compare=False)
    sha256: str
    rgb: Image.Image = field(compare=False)
    original_size: tuple[int, int] = field(compare=False)
    licence: str = field(default="", compare=False)
    shows: tuple[str, ...] | None = field(default=None, compare=False)


class ImageRefused(Refused):
    """A file was not accepted as an image."""


def decode(name: str, content: bytes, most_pixels: int = MAX_PIXELS) -> InputImage:
    """Decode a file in this process, see ``decode_pixels``, when the budget of pixels allows it.

    Raises:
        ImageRefused: the file was not accepted. No bytes cause any other error.
    """
    image, size = decode_pixels(name, content, pixels.budget().hold, most_pixels)
    return InputImage(shown(name), hashlib.sha256(content).hexdigest(), image, size)


def decode_pixels(
    name: str, content: bytes, room: ReserveMemory, most_pixels: int = MAX_PIXELS
) -> tuple[Image.Image, tuple[int, int]]:
    """Decode the first frame of a JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF or PPM (PGM, PBM) file.

    Grey, palette, CMYK and 16-bit images become 8-bit RGB; transparent pixels are composited over white; the EXIF
    orientation is applied. Colour profiles are not applied, as the training pipelines of the models do not apply them.
    An image whose shorter side is 2 · WORKING_SIDE pixels or more is reduced by an integer factor, so that WORKING_SIDE
    or more remains, which is enough for the page and the models: a JPEG in the DCT domain while it is decoded, by a
    power of two, others by box averages.

    Args:
        name: the name of the upload; it is only shown.
        content: the whole file, at most MAX_BYTES.
        room: reserves memory for the pixels that are decoded.
        most_pixels: an image of more is refused before any pixel is decoded.

    Returns:
        The image and its size before any reduction, see ``InputImage``.

    Raises:
        ImageRefused: the file was not accepted. No bytes cause any other error.
        pixels.Waits: raised by ``room``.
    """
    name = shown(name)
    if refusal := size_refusal(content):
        raise ImageRefused(name, refusal)
    try:
        return _decoded(name, content, room, most_pixels)
    except (ImageRefused, pixels.Waits):
        raise
    except TooManyParts:
        raise ImageRefused(name, _TOO_MANY_PARTS) from None
    except MemoryError:
        raise ImageRefused(name, "decoding it takes more memory than is available; save a smaller copy") from None
    except (RangeUnknown, TiffRefused) as refused:
        raise ImageRefused(name, str(refused)) from None
    except UnidentifiedImageError:
        raise ImageRefused(name, _what_it_is(content)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(name, most_pixels) from None
    except Exception as error:
        if str(error).startswith("Unsupported BMP"):
            raise ImageRefused(name, "it is a BMP of an unusual kind; save it as PNG or JPEG") from error
        # Decoders raise OSError, SyntaxError, struct.error, zlib.error, … on malformed bytes.
        raise ImageRefused(name, "it is damaged or cut short; copy or save it again") from error


def size_refusal(content: bytes) -> str:
    """Return why a file is refused for its size; empty if its size is allowed."""
    if not content:
        return "it is empty; choose the file again"
    return f"it is larger than {MAX_BYTES // 10**6} MB; save a smaller copy" if len(content) > MAX_BYTES else ""


def _decoded(name: str, content: bytes, room: ReserveMemory, most_pixels: int) -> tuple[Image.Image, tuple[int, int]]:
    """Decode as ``decode_pixels`` does, without its check of the size; let the errors of decoders pass."""
    with ExitStack() as held:
        openable = _openable(name, content)
        # Other formats take no memory for pixels before they are loaded.
        if in_header := _pixels_in_header(name, openable, most_pixels):
            held.enter_context(room(in_header))
        # Pillow's own pixel limit is a warning, and turning warnings into errors is not safe between threads.
        file = held.enter_context(Image.open(MeteredFile(openable), formats=FORMATS))
        original_size = file.size
        _check_header(name, file, most_pixels)
        file.draft(None, (WORKING_SIDE, WORKING_SIDE))
        # A progressive JPEG is in memory as a whole before it is reduced.
        width, height = original_size if "progressive" in file.info else file.size
        if not in_header:
            held.enter_context(room(width * height))
        netpbm.scale(file, openable)
        if isinstance(file.fp, MeteredFile):
            file.fp.expect(width * height)
        image = rgb(file)
        turn = TURNS.get(orientation_of(file))
    if turn is not None:
        image = image.transpose(turn)
        original_size = original_size[::-1] if turn in SWAPS_SIDES else original_size
    return image, original_size


def _openable(name: str, content: bytes) -> bytes:
    """Return the bytes that Pillow may open: the first image of a TIFF file; all of other files."""
    if content.startswith(SIGNATURES):
        return first_image(content)
    refusal = ""
    if content.startswith(netpbm.SIGNATURES) and (refusal := netpbm.refusal(content)):
        refusal = f"{refusal}; {_SAVE_AS}"
    elif content.startswith(jpeg.SIGNATURE):
        refusal = jpeg.refusal(content)
    if refusal:
        raise ImageRefused(name, refusal)
    return content


def _pixels_in_header(name: str, content: bytes, most: int) -> int:
    """Return the number of pixels for which a decoder takes memory when it opens the file; 0 if it takes none then."""
    width, height = webp.size_of(content)
    if width * height > most:
        raise _too_large(name, most)
    return width * height


def _check_header(name: str, file: ImageFile.ImageFile, most: int) -> None:
    """Refuse an opened file whose pixels must not be decoded."""
    short, long = sorted(file.size)
    if short * long > most:
        raise _too_large(name, most)
    if short < MIN_SIDE:
        size = f"{file.width} × {file.height} pixels"
        raise ImageRefused(name, f"it is {size}; choose an image of at least {MIN_SIDE} × {MIN_SIDE}")
    if long > MAX_ASPECT * short:
        raise ImageRefused(name, f"one side is more than {MAX_ASPECT} times the other; cut out the part that matters")
    if isinstance(file, BmpImageFile) and file.info.get("compression") in _RUNS and short * long > MAX_RLE_PIXELS:
        raise ImageRefused(
            name, f"it is a BMP packed as runs of more than {MAX_RLE_PIXELS // 10**6} million pixels; save it as PNG"
        )


def _too_large(name: str, most: int) -> ImageRefused:
    return ImageRefused(name, f"it has more than {most // 10**6} million pixels; save a smaller copy")


def _what_it_is(content: bytes) -> str:
    """Return the reason for refusing bytes that no allowed decoder recognises."""
    if content.startswith(SIGNATURES):
        return unusual(content)
    if content[4:12] in _AVIF:
        return "it is damaged or cut short; copy or save it again"
    if content.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the image itself; run git lfs pull"
    if content[:_HEAD].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "it is a web page, not an image; download the image by its own link"
    if not content.strip(b"\0"):
        return "it contains only zero bytes; copy or download it again"
    for start, signature, called in _UNSUPPORTED:
        if content.startswith(signature, start):
            # Only one in an archive comes here: any other is opened.
            archive = signature.startswith(b"PK")
            return f"it is {called}; {f'give an archive of images by itself, or {_SAVE_AS}' if archive else _SAVE_AS}"
    if b"<svg" in content[:_HEAD].lower():
        return f"it is an SVG drawing; {_SAVE_AS}"
    return f"it is not an image, or its first bytes are damaged; {_SAVE_AS}"
