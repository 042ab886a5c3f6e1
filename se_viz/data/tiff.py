"""The first image of a TIFF file, with only the tags that its pixels need.

A TIFF file may chain any number of images, nest directories, and let tags, strips and tiles claim any size. Pillow gets
a copy with a single directory, which is written here after its sizes were checked to be those of an ordinary image.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, TiffImagePlugin

from se_viz.wording import counted

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES = 256, 257, 258, 259, 277
_KIND, _TILE_WIDTH, _TILE_HEIGHT, _DNG = 254, 322, 323, 50706
_STRIP_SIZES, _TILE_SIZES, _EXTRA = 279, 325, 338
# PhotometricInterpretation, FillOrder, StripOffsets, Orientation, RowsPerStrip, PlanarConfiguration, Predictor,
# ColorMap, TileOffsets, InkSet, SampleFormat, JPEGTables, and how YCbCr was made of RGB.
_KEPT = frozenset(
    {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _TILE_WIDTH, _TILE_HEIGHT, _STRIP_SIZES, _TILE_SIZES, _EXTRA}
    | {262, 266, 273, 274, 278, 284, 317, 320, 324, 332, 339, 347, 529, 530, 532}
)
_ONE_NUMBER = (_WIDTH, _HEIGHT, _COMPRESSION, _SAMPLES, _KIND, _TILE_WIDTH, _TILE_HEIGHT)
_COMPRESSIONS = {1: "none", 5: "LZW", 7: "JPEG", 8: "Deflate", 32773: "PackBits", 32946: "Deflate"}
# Bytes of one value of each type: BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, SSHORT, SLONG, …
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I"}
MOST_TAG_BYTES = 8_000_000  # offsets and sizes of a million strips
_LARGEST_TILE = 4096
_JPEG, _MOST_SCANS = 7, 50  # each scan is a pass over the whole strip
_SAVE_AS = "save it as PNG or JPEG"

_PHOTOMETRIC, _PLANAR, _COLOURS, _FORMAT = 262, 284, 320, 339
_SIGNED, _FLOAT, _WHITE_IS_0, _SEPARATE, _UNCOMPRESSED, _PREMULTIPLIED = 2, 3, 0, 2, 1, 1


class TiffRefused(ValueError):
    """A TIFF file was refused; the message says why, and after a semicolon what to do."""


def misread(image: Image.Image) -> str:
    """Return why Pillow gets the pixels of an opened TIFF file wrong, and after a semicolon what to do.

    Pillow reads such files without an error: some as their negative, some too dark, some with other bytes. Empty for
    files that it reads right, and for other images.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return ""
    tags = image.tag_v2
    bits = max(tags.get(_BITS, (1,)))
    kind = tags.get(_FORMAT, (1,))
    colours = tags.get(_COLOURS, ()) if image.mode in ("P", "PA") else ()
    planes = tags.get(_PLANAR) == _SEPARATE and tags.get(_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED
    reasons = {
        "signed numbers, whose full range is unknown": _SIGNED in kind,
        f"{bits}-bit numbers, whose full range is unknown": bits > 16 and _FLOAT not in kind,
        "12-bit grey": bits == 12,
        f"{bits}-bit grey in which 0 is white": bits > 8 and tags.get(_PHOTOMETRIC) == _WHITE_IS_0,
        "uncompressed planes of colours": planes
        and tags.get(_SAMPLES, 1) > 1
        and (bits == 16 or image.mode == "LA" or _PREMULTIPLIED in tags.get(_EXTRA, ())),
        "palette colours in 8 bits, where 16 belong": bool(colours) and 0 < max(colours) < 256,
    }
    return next((f"it is a TIFF file of {what}; {_SAVE_AS}" for what, found in reasons.items() if found), "")


def unusual(content: bytes) -> str:
    """Return why Pillow cannot open a TIFF file whose directory is not broken, and after a semicolon what to do."""
    order = "<" if content.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", content, 4)
        tags = _directory(content, start, order)
        numbers = {number: _first(tag, order) for number, tag in tags.items() if number in (_BITS, _SAMPLES, _FORMAT)}
    except struct.error:
        return "it is damaged or cut short; copy or save it again"
    samples = numbers.get(_SAMPLES, 1)
    if not tags.keys() >= {_WIDTH, _HEIGHT}:
        return "it is damaged or cut short; copy or save it again"
    each = counted(samples, "fraction" if numbers.get(_FORMAT) == _FLOAT else "number")
    return f"it is a TIFF file of an unusual kind ({each} of {numbers.get(_BITS, 1)} bits in each pixel); {_SAVE_AS}"


@dataclass(frozen=True, slots=True)
class _Tag:
    kind: int
    count: int
    data: bytes


def first_image(content: bytes) -> bytes:
    """Return a TIFF file that contains only the first image of ``content``.

    Raises:
        TiffRefused: it is a BigTIFF or camera raw file, its compression is unusual, or its directory is broken.
    """
    if content[2:4] in (b"+\0", b"\0+"):
        raise TiffRefused(f"it is a BigTIFF file; {_SAVE_AS}")
    order = "<" if content.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", content, 4)
        tags = _directory(content, start, order)
        numbers = {number: _first(tags[number], order) for number in _ONE_NUMBER if number in tags}
    except struct.error:
        raise TiffRefused("it is damaged or cut short; copy or save it again") from None
    if content[8:10] == b"CR" or _DNG in tags or numbers.get(_KIND, 0) & 1:
        raise TiffRefused(f"it is a camera raw file; develop it and {_SAVE_AS}")
    _check(tags, numbers, order, content)
    return _written(content, {number: tag for number, tag in tags.items() if number in _KEPT}, order)


def _directory(content: bytes, start: int, order: str) -> dict[int, _Tag]:
    """Return the tags of the directory at ``start`` that are kept or checked."""
    tags: dict[int, _Tag] = {}
    total = 0
    (entries,) = struct.unpack_from(f"{order}H", content, start)
    for index in range(entries):
        offset = start + 2 + 12 * index
        number, kind, count = struct.unpack_from(f"{order}HHI", content, offset)
        if (number not in _KEPT and number not in (_KIND, _DNG)) or kind not in _BYTES or number in tags:
            continue
        size = count * _BYTES[kind]
        total += size
        if total > MOST_TAG_BYTES:
            raise TiffRefused(f"its tags take more than {MOST_TAG_BYTES // 10**6} MB; {_SAVE_AS}")
        if size > 4:
            (offset,) = struct.unpack_from(f"{order}I", content, offset + 8)
        else:
            offset += 8
        if offset + size > len(content):
            raise struct.error
        tags[number] = _Tag(kind, count, content[offset : offset + size])
    return tags


def _first(tag: _Tag, order: str) -> int:
    if tag.kind not in _INTEGERS:
        raise struct.error
    number: int = struct.unpack_from(f"{order}{_INTEGERS[tag.kind]}", tag.data)[0]
    return number


def _check(tags: Mapping[int, _Tag], numbers: Mapping[int, int], order: str, content: bytes) -> None:
    """Refuse an image that would take more memory or time than its width and height suggest."""
    compression = numbers.get(_COMPRESSION, 1)
    if compression not in _COMPRESSIONS:
        listed = ", ".join(sorted(set(_COMPRESSIONS.values()) - {"none"}))
        raise TiffRefused(
            f"it is a TIFF file compressed by method {compression}; save it with {listed} or no compression"
        )
    if max(numbers.get(_TILE_WIDTH, 0), numbers.get(_TILE_HEIGHT, 0)) > _LARGEST_TILE:
        raise TiffRefused(f"its tiles are larger than {_LARGEST_TILE} pixels; {_SAVE_AS}")
    packed = strips = 0
    for number in (_STRIP_SIZES, _TILE_SIZES):
        if tag := tags.get(number):
            letter = _INTEGERS.get(tag.kind)
            if letter is None:
                raise TiffRefused("it is damaged or cut short; copy or save it again")
            strips += tag.count
            packed += sum(struct.unpack_from(f"{order}{tag.count}{letter}", tag.data))
    # Overlapping strips would be unpacked once for each strip.
    if packed > 2 * len(content):
        raise TiffRefused(f"its strips overlap; {_SAVE_AS}")
    if compression == _JPEG and content.count(b"\xff\xda") > _MOST_SCANS * max(1, strips):
        raise TiffRefused(f"its strips are JPEGs of more than {_MOST_SCANS} scans; {_SAVE_AS}")


def _written(content: bytes, tags: Mapping[int, _Tag], order: str) -> bytes:
    """Return the file with only one directory, which has these tags, appended to its end."""
    start = math.ceil(len(content) / 2) * 2
    data = start + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for number, tag in sorted(tags.items()):
        entries += struct.pack(f"{order}HHI", number, tag.kind, tag.count)
        if len(tag.data) > 4:
            entries += struct.pack(f"{order}I", data + len(values))
            values += tag.data + b"\0" * (len(tag.data) % 2)
        else:
            entries += tag.data.ljust(4, b"\0")
    head = content[:4] + struct.pack(f"{order}I", start)
    body = content[8:].ljust(start - 8, b"\0")
    return b"".join((head, body, struct.pack(f"{order}H", len(tags)), entries, bytes(4), values))
