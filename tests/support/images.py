"""Images and their files."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    """Return the file that Pillow makes of an image."""
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    """Return an image of noise, the same at each call."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(values.squeeze())


def raw_png(width: int, height: int, bits: int, colour_type: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """Return a PNG that Pillow cannot write itself."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body
