"""Files made of millions of parts of a few bytes are refused by counting, whatever the format and the part.

Each of these took from 4 seconds to hours in ``Image.open`` or behind it, and up to 2 GB.
"""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from support.images import encoded

from se_viz.data import jpeg
from se_viz.data.images import ImageRefused, decode
from se_viz.data.metered_file import MOST_IN_HEADER, MeteredFile, TooManyParts

SIZE = 20_000_000


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


GREY = Image.new("L", (64, 64), 9)
JPEG, PNG, GIF = encoded(GREY, "JPEG"), encoded(GREY, "PNG"), encoded(GREY, "GIF")
DATA, END = PNG.index(b"IDAT") - 4, len(PNG) - 12
FRAME = 13 + (3 << (GIF[10] & 7) + 1) * (GIF[10] >> 7)
EXIF = b"\xff\xe1" + struct.pack(">H", 10) + b"Exif\0\0ab"


def put(content, place, part, size=SIZE):
    return content[:place] + part * (size // len(part)) + content[place:]


def rle(width, height, kind, data):
    """A BMP of 4 (kind 2) or 8 bits a pixel (kind 1) that is packed as runs."""
    colours = 16 if kind == 2 else 256
    start = 54 + 4 * colours
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 4 if kind == 2 else 8, kind, len(data), 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + bytes(4 * colours) + data


PARTS = {
    "JPEG, tiny Exif segments": put(JPEG, 2, EXIF),
    "JPEG, large Exif segments": put(JPEG, 2, b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)),
    "JPEG, Exif behind junk": JPEG[:2] + b"\0\1\xff\0\xff\xff" + EXIF * 1000 + JPEG[2:],
    "JPEG, empty APP4": put(JPEG, 2, b"\xff\xe4\0\2"),
    "JPEG, empty comments": put(JPEG, 2, b"\xff\xfe\0\2"),
    "JPEG, fill": put(JPEG, 2, b"\xff"),
    "JPEG, nothing but fill": put(JPEG[:2], 2, b"\xff"),
    "JPEG, junk": put(JPEG, 2, b"a"),
    "JPEG, tables": put(JPEG, 2, b"\xff\xdb\0\x43\0" + b"\1" * 64),
    "JPEG, Photoshop": put(JPEG, 2, b"\xff\xed\x60\x10Photoshop 3.0\0" + (b"8BIM" + bytes(8)) * 2048),
    "PNG, empty chunks": put(PNG, DATA, chunk(b"aaAa")),
    "PNG, empty data": put(PNG, DATA, chunk(b"IDAT")),
    "PNG, empty chunks behind the data": put(PNG, END, chunk(b"aaAa")),
    "PNG, texts": put(PNG, DATA, chunk(b"tEXt", b"a\0b")),
    "GIF, a comment byte by byte": put(GIF[:FRAME] + b"!\xfe\0" + GIF[FRAME:], FRAME + 2, b"\1a"),
    "GIF, comments": put(GIF, FRAME, b"!\xfe\1a\0"),
    "GIF, zeros": put(GIF, FRAME, b"\0"),
    "GIF, controls": put(GIF, FRAME, b"!\xf9\4\0\0\0\0\0"),
    "BMP, runs of 4 bits": rle(10_000, 5_000, 2, b"\xff\x12" * 20_000),
    "BMP, lines that are short": rle(10_000, 10_000, 1, b"\1\0\0\0" * 10_000),
    "BMP, moves by nothing": rle(4_000, 4_000, 1, b"\0\2\0\0" * 12_000_000),
    "PPM, comments": b"P3 64 64 255 " + b"#\n" * 900_000 + b"1 " * 12_288,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_a_file_of_very_many_parts_is_refused(name):
    with pytest.raises(
        ImageRefused, match=r"more parts than|more than [\d,]+ (segments|Exif|Photoshop|comm|mill)|damaged"
    ):
        decode("a", PARTS[name])


def test_files_of_as_many_parts_as_there_are_in_real_ones_are_taken():
    seen = [
        decode("a", put(JPEG, 2, EXIF, 31 * len(EXIF))),
        decode("a", put(JPEG, 2, b"\xff\xe4\xff\xff" + bytes(65_533), 40_000_000)),
        decode("a", put(PNG, DATA, chunk(b"tEXt", b"a\0b"), 15 * 5_000)),
        decode("a", put(GIF[:FRAME] + b"!\xfe\0" + GIF[FRAME:], FRAME + 2, b"\xff" + b"a" * 255, 1_000_000)),
        decode("a", rle(64, 64, 1, b"\x40\0\0\0" * 64 + b"\0\1")),
        decode("a", rle(64, 64, 2, b"\x40\0\0\0" * 64 + b"\0\1")),
    ]
    assert {image.original_size for image in seen} == {(64, 64)}


def test_a_png_whose_data_lie_in_chunks_of_a_byte():
    data = PNG[DATA + 8 : END - 4]
    content = PNG[:DATA] + b"".join(chunk(b"IDAT", data[i : i + 1]) for i in range(len(data))) + PNG[END:]
    assert np.array_equal(np.asarray(decode("a", content).rgb), np.asarray(decode("b", PNG).rgb))


def test_the_segments_of_real_files_are_counted():
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"
    assert not jpeg.refusal(encoded(GREY, "JPEG", exif=exif, icc_profile=bytes(200_000), comment=b"of a camera"))
    assert not jpeg.refusal(JPEG[:2])
    assert not jpeg.refusal(JPEG[:-2] + b"\xff")


def test_a_metered_file_is_read_as_often_as_it_may():
    file = MeteredFile(b"a" * 10)
    for _ in range(MOST_IN_HEADER):
        file.read(0)
    with pytest.raises(TooManyParts):
        file.read(1)
    file.expect(50)
    assert file.read() == b"a" * 10
    for _ in range(MOST_IN_HEADER + 49):
        file.read(1)
    with pytest.raises(TooManyParts):
        file.read(1)


@pytest.mark.parametrize("most", [1, 7, 100, 254, 256, 1000, 4095, 65_534, 65_535])
@pytest.mark.parametrize("kind", [b"P5", b"P6"])
def test_netpbm_files_of_any_maximum_are_scaled_as_pillow_scales_them(kind, most):
    bands = 3 if kind == b"P6" else 1
    values = np.random.default_rng(0).integers(0, min(most + 3, 65_536), (16, 12, bands))
    content = b"%s 12 16 # a comment\n %d\n" % (kind, most) + values.astype("u1" if most < 256 else ">u2").tobytes()
    theirs = np.asarray(Image.open(io.BytesIO(content)))
    if theirs.dtype != np.uint8:
        theirs = np.rint(theirs / 257)
    ours = np.asarray(decode("a.pgm", content).rgb)
    assert np.array_equal(
        ours, theirs.astype(np.uint8).reshape(16, 12, bands).repeat(4 - bands if bands == 1 else 1, 2)
    )


def test_a_netpbm_file_of_an_odd_maximum_that_is_cut_short_is_refused():
    with pytest.raises(ImageRefused, match="cut short"):
        decode("a.pgm", b"P5 5000 5000 1000\n" + bytes(49_000_000))
