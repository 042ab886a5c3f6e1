"""The size of a WebP image, read before Pillow opens it: the decoder allocates the image when it is created."""

SIGNATURE = b"RIFF"

_FRAME_START = b"\x9d\x01\x2a"
_SIDE = 0x3FFF
_LOSSLESS = 0x2F


def size_of(content: bytes) -> tuple[int, int]:
    """Return width and height from the header of a WebP file; (0, 0) if it states no size."""
    if content[:4] != SIGNATURE or content[8:12] != b"WEBP" or len(content) < 30:
        return 0, 0
    kind = content[12:16]
    if kind == b"VP8X":
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    if kind == b"VP8L" and content[20] == _LOSSLESS:
        bits = int.from_bytes(content[21:25], "little")
        return (bits & _SIDE) + 1, (bits >> 14 & _SIDE) + 1
    if kind == b"VP8 " and content[23:26] == _FRAME_START:
        return int.from_bytes(content[26:28], "little") & _SIDE, int.from_bytes(content[28:30], "little") & _SIDE
    return 0, 0
