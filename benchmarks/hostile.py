"""Files that are made to do harm, and photographs that are not, for ``soak.py``.

Each of the first kind once stopped or filled a server, or is a sibling of one that did. None does more than take time
and memory.
"""

import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

Make = Callable[[], bytes]

_LARGE = 49_000_000  # bytes; the page takes images of up to 50 MB


def photograph(number: int, side: int = 480) -> bytes:
    """An image that differs from those of other numbers in colours and forms, as JPEG, PNG or WebP."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (rng.integers(2, 12), rng.integers(2, 12), 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((side, side * 3 // 4), Image.Resampling.BICUBIC)
    return _encoded(image, ("JPEG", "PNG", "WEBP")[number % 3])


def _encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def _filled(content: bytes, place: int, part: bytes, size: int = _LARGE) -> bytes:
    """Content with a part put in at a place, so often that the file has about that size."""
    return content[:place] + part * (size // len(part)) + content[place:]


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _webp(side: int) -> bytes:
    """A WebP of one colour, whose pixels take no bits: any size has as few bytes."""
    content = bytearray(_encoded(Image.new("RGB", (16, 16)), "WEBP", lossless=True))
    place = content.index(b"VP8L") + 9  # behind the signature; 14 bits of width − 1, 14 of height − 1
    flags = struct.unpack_from("<I", content, place)[0] & ~0xFFFFFFF
    struct.pack_into("<I", content, place, flags | (side - 1) | (side - 1) << 14)
    return bytes(content)


def _jpeg(part: bytes, size: int) -> bytes:
    return _filled(_encoded(Image.new("L", (64, 64)), "JPEG"), 2, part, size)


def _png_of_chunks() -> bytes:
    png = _encoded(Image.new("L", (64, 64)), "PNG")
    return _filled(png, png.index(b"IDAT") - 4, _chunk(b"aaAa"))


def _png_of_16_bits(side: int) -> bytes:
    """A PNG that is what it says it is: 16 bits, RGB, one colour transparent, and next to no bytes."""
    packer = zlib.compressobj(1)
    row = bytes(1 + 6 * side)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"tRNS", bytes(6))
        + _chunk(b"IDAT", data)
        + _chunk(b"IEND")
    )


def _gif_of_comments() -> bytes:
    gif = _encoded(Image.new("L", (64, 64)), "GIF")
    place = 13 + (3 << (gif[10] & 7) + 1) * (gif[10] >> 7)
    return _filled(gif[:place] + b"!\xfe\0" + gif[place:], place + 2, b"\1a")


def _bmp(width: int, height: int, bits: int, data: bytes) -> bytes:
    """A BMP that is packed as runs."""
    colours, kind = (16, 2) if bits == 4 else (256, 1)
    start = 54 + 4 * colours
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, kind, len(data), 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + bytes(4 * colours) + data


def _zip(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _zip_of_many() -> bytes:
    """Return an archive like those of annotated datasets: few images among hundreds of other files."""
    images = {f"data/{number}.jpg": photograph(1000 + 3 * number) for number in range(5)}
    return _zip({**images, **{f"data/{number}.xml": b"<annotation/>" for number in range(900)}})


def _zip_bomb() -> bytes:
    return _zip({f"{number}.bmp": bytes(10_000_000) for number in range(20)}, zipfile.ZIP_DEFLATED)


IMAGES: dict[str, Make] = {
    "webp 4990 x 4990 of 34 bytes.webp": lambda: _webp(4990),
    "webp 100 megapixels.webp": lambda: _webp(10_000),
    "jpeg of tiny segments.jpg": lambda: _jpeg(b"\xff\xe1" + struct.pack(">H", 10) + b"Exif\0\0ab", 20_000_000),
    "jpeg of empty segments.jpg": lambda: _jpeg(b"\xff\xe4\0\2", _LARGE),
    "runs of 4 bits.bmp": lambda: _bmp(10_000, 5_000, 4, b"\xff\x12" * 20_000),
    "runs of nothing.bmp": lambda: _bmp(4_000, 4_000, 8, b"\0\2\0\0" * 12_000_000),
    "png of empty chunks.png": _png_of_chunks,
    "png of 16 bits.png": lambda: _png_of_16_bits(6_000),
    "gif of comments.gif": _gif_of_comments,
    "five images and 900 other files.zip": _zip_of_many,
    "bomb.zip": _zip_bomb,
    "zip of empty files.zip": lambda: _zip({str(number): b"" for number in range(20_000)}),
    "web page.jpg": lambda: b"<!doctype html><title>Sign in</title>" * 100,
    "half.png": lambda: photograph(1)[:1000],
}


def _checkpoint(instructions: bytes, method: int = zipfile.ZIP_STORED, **storages: bytes) -> bytes:
    """A file as torch.save makes it, of a pickle that is given."""
    data = {f"x/data/{name}": content for name, content in storages.items()}
    return _zip({"x/data.pkl": instructions, "x/byteorder": b"little", **data, "x/version": b"3\n"}, method)


def _wide_tuple() -> bytes:
    """t = (t, t), 60 times, as a key: its hash takes 2 to the power of 60 steps."""
    return b"\x80\x02})" + b"".join(b"q%ch%c\x86" % (place, place) for place in range(60)) + b"K\x01s."


def _chain_of_codecs() -> bytes:
    """Bytes to twice as many hexadecimal digits, 40 times."""

    def text(value: bytes) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value

    encode = b"c_codecs\nencode\n"
    first = encode + text(b"x" * 1000) + text(b"latin1") + b"\x86R"
    return b"\x80\x02}" + text(b"a") + encode * 40 + first + (text(b"hex") + b"\x86R") * 40 + b"s."


def _older(instructions: bytes) -> bytes:
    """The same as torch wrote it before it used ZIP."""
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "protocol_version": 1001, "type_sizes": {}})
    return b"".join(pickle.dumps(part, 2) for part in head) + instructions + pickle.dumps([], 2)


def _empty_sets() -> bytes:
    return b"\x80\x02(" + b"\x8f" * 9_900_000 + b"t."


def _empty_tensors() -> bytes:
    entries = b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % place for place in range(900_000))
    return struct.pack("<Q", len(entries) + 2) + b"{" + entries + b"}"


WEIGHTS: dict[str, Make] = {
    "tuple of tuples.pth": lambda: _checkpoint(_wide_tuple()),
    "tuple of tuples, older format.pth": lambda: _older(_wide_tuple()),
    "chain of codecs.pth": lambda: _checkpoint(_chain_of_codecs()),
    "empty sets.pth": lambda: _checkpoint(_empty_sets()),
    "empty tensors.safetensors": _empty_tensors,
    "bomb.pth": lambda: _checkpoint(b"\x80\x02}.", zipfile.ZIP_DEFLATED, **{"0": bytes(500_000_000)}),
}
