"""Checks of the header of a JPEG file, made before Pillow reads it.

Pillow joins the Exif segments of a file one by one, and copies all that it has each time: a file of 20 MB can take
hours.
"""

import re

from PIL.JpegImagePlugin import MARKER

from se_viz.data.metered_file import MOST_IN_HEADER

# Encoders write about ten scans. Each is a pass over the whole image and can be as short as 120 bytes: without a limit,
# a file of 1 MB can occupy the processor for ten minutes.
MAX_SCANS = 50
MAX_SEGMENTS = MOST_IN_HEADER // 3  # segments of any kind; each takes three reads
MAX_EXIF_SEGMENTS = 32  # cameras write one; each holds up to 64 kB
MAX_RESOURCES = 10_000  # Photoshop resources; Photoshop writes about 30

SIGNATURE = b"\xff\xd8\xff"

_SCAN = 0xDA
# Markers of frames, and those that Pillow decodes: baseline, extended and progressive ones, with any coding.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_DECODED = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_USUAL_BITS = 8
_NO_FILL = re.compile(rb"[^\xff]")  # any number of bytes of 255 may precede a marker
_EXIF, _PHOTOSHOP = b"Exif\0\0", b"Photoshop 3.0\0"


def refusal(content: bytes) -> str:
    """Return why Pillow must not read a JPEG file, and after a semicolon what to do; empty if it may."""
    again = "save it again as an ordinary JPEG"
    if content.count(b"\xff\xda") > MAX_SCANS:
        return f"it is a JPEG of more than {MAX_SCANS} scans; {again}"
    exif = resources = 0
    position = 2
    for _ in range(MAX_SEGMENTS):
        start = content.find(b"\xff", position)
        marker = _NO_FILL.search(content, start) if start >= 0 else None
        if marker is None or marker[0][0] == _SCAN:
            break
        position = marker.end()
        _, _, handler = MARKER.get(0xFF00 | marker[0][0], ("", "", None))
        if handler is None or position + 2 > len(content):
            continue
        length = int.from_bytes(content[position : position + 2])
        if marker[0][0] in _FRAMES:
            bits = content[position + 2 : position + 3]
            if marker[0][0] not in _DECODED or (bits and bits[0] != _USUAL_BITS):
                kind = f"{bits[0]} bits" if bits and bits[0] != _USUAL_BITS else "a lossless or hierarchical kind"
                return f"it is a JPEG of {kind}; {again}"
        if content.startswith(_EXIF, position + 2):
            exif += 1
        elif content.startswith(_PHOTOSHOP, position + 2):
            resources += content.count(b"8BIM", position, position + length)
        position += max(2, length)
    else:
        return f"it is a JPEG of more than {MAX_SEGMENTS:,} segments; {again}"
    if exif > MAX_EXIF_SEGMENTS:
        return f"it is a JPEG of more than {MAX_EXIF_SEGMENTS} Exif segments; {again}"
    if resources > MAX_RESOURCES:
        return f"it is a JPEG of more than {MAX_RESOURCES:,} Photoshop resources; {again}"
    return ""
