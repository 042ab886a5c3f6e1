"""Of a TIFF file the first image is read, with its sizes checked before anything is unpacked."""

import io
import struct

import numpy as np
import pytest
from PIL import Image
from support.images import encoded

from se_viz.data import tiff
from se_viz.data.images import ImageRefused, decode
from se_viz.data.python_images import InputRefused, rgb_image

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def handmade(order, tags, pixels):
    """A TIFF file with these tags: number → (type, values)."""
    kinds = {1: "B", 3: "H", 4: "I"}
    start = 8 + len(pixels) + len(pixels) % 2
    data = start + 2 + 12 * len(tags) + 4
    entries = values = b""
    for number, (kind, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{kinds[kind]}", *numbers)
        entries += struct.pack(f"{order}HHI", number, kind, len(numbers))
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}I", data + len(values))
            values += packed + b"\0" * (len(packed) % 2)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    body = pixels + b"\0" * (len(pixels) % 2)
    return head + body + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values


def plain(**changes):
    """Tags of 16 × 12 pixels in RGB in two strips, changed by number: _273=(4, [8])."""
    tags = {
        256: (3, [16]),
        257: (3, [12]),
        258: (3, [8, 8, 8]),
        259: (3, [1]),
        262: (3, [2]),
        273: (4, [8, 8 + 288]),
        277: (3, [3]),
        278: (3, [6]),
        279: (4, [288, 288]),
    }
    return tags | {int(number.removeprefix("_")): tag for number, tag in changes.items()}


def refusal(content):
    with pytest.raises(ImageRefused) as caught:
        decode("a.tif", content)
    return caught.value.reason


@pytest.mark.parametrize("order", "<>")
def test_strips_in_both_byte_orders(order):
    content = handmade(order, plain(), PIXELS.tobytes())
    assert np.array_equal(np.asarray(decode("a.tif", content).rgb), PIXELS)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits"])
def test_lossless_compressions(compression):
    content = encoded(Image.fromarray(PIXELS), "TIFF", **({"compression": compression} if compression else {}))
    assert np.array_equal(np.asarray(decode("a.tif", content).rgb), PIXELS)


def test_the_first_of_several_images_with_its_orientation():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(
        Image.fromarray(PIXELS), "TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))], exif=exif
    )
    image = decode("scan.tif", content)
    assert image.original_size == (12, 16)
    assert np.array_equal(np.asarray(image.rgb), np.rot90(PIXELS, -1))
    with Image.open(io.BytesIO(tiff.first_image(content))) as alone:
        assert alone.n_frames == 1


def test_what_is_not_a_plain_photograph_is_named():
    image = Image.fromarray(PIXELS)
    assert "compressed by method 50000" in refusal(encoded(image, "TIFF", compression="zstd"))
    assert "BigTIFF" in refusal(encoded(image, "TIFF", big_tiff=True))
    assert "raw file" in refusal(handmade("<", plain(_50706=(1, [1, 4, 0, 0])), PIXELS.tobytes()))
    assert "raw file" in refusal(handmade("<", plain(_254=(4, [1])), PIXELS.tobytes()))
    assert "fractions" in refusal(encoded(Image.fromarray(np.ones((9, 9), np.float32)), "TIFF"))


def test_what_would_take_more_than_its_size_says_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened"))
    pixels = PIXELS.tobytes()
    huge = {"_322": (4, [30_000]), "_323": (4, [30_000]), "_324": (4, [8]), "_325": (4, [576])}
    assert "tiles are larger" in refusal(handmade("<", plain(**huge), pixels))
    assert "strips overlap" in refusal(handmade("<", plain(_273=(4, [8] * 12), _279=(4, [576] * 12)), pixels))
    monkeypatch.setattr(tiff, "MOST_TAG_BYTES", 100)
    assert "tags take more" in refusal(handmade("<", plain(_320=(3, [7] * 768)), pixels))
    scans = pixels + b"\xff\xda" * 200
    assert "scans" in refusal(handmade("<", plain(_259=(3, [7])), scans))


@pytest.mark.parametrize("cut", [4, 8, 100, 590, 640, 700])
def test_a_broken_directory_is_damage(cut):
    assert "damaged" in refusal(handmade("<", plain(), PIXELS.tobytes())[:cut])


def test_the_directory_of_nothing_but_other_tags_is_damage():
    assert "damaged" in refusal(handmade("<", {700: (1, [0] * 50)}, PIXELS.tobytes()))


GREY = np.random.default_rng(3).integers(0, 65536, (12, 16)).astype("<u2")
GREY_TAGS = {"_256": (4, [16]), "_257": (4, [12]), "_258": (3, [16]), "_262": (3, [1]), "_277": (3, [1])}
IN_PLANES = {"_284": (3, [2]), "_273": (4, [8, 200, 392]), "_279": (4, [192] * 3)}
# Tags that Pillow reads without an error, but with other pixels than they say; and what is said of the file.
MISREAD = {
    "0 is white": ({"_262": (3, [0])}, "16-bit grey in which 0 is white"),
    "signed": ({"_339": (3, [2])}, "signed numbers, whose full range is unknown"),
    "signed, 8 bits": ({"_258": (3, [8]), "_339": (3, [2])}, "signed numbers"),
    "32 bits": ({"_258": (3, [32]), "_257": (4, [9])}, "32-bit numbers, whose full range is unknown"),
    "12 bits": ({"_258": (3, [12])}, "12-bit grey"),
    "palette of 8 bits": (
        {"_258": (3, [8]), "_262": (3, [3]), "_320": (3, list(range(256)) * 3)},
        "palette colours in 8 bits",
    ),
    "planes": (
        {"_256": (4, [8]), "_258": (3, [16] * 3), "_262": (3, [2]), "_277": (3, [3]), **IN_PLANES},
        "uncompressed planes of colours",
    ),
}


@pytest.mark.parametrize("name", MISREAD)
def test_what_pillow_misreads_without_an_error_is_refused(name):
    tags, said = MISREAD[name]
    strip = {"_273": (4, [8]), "_278": (3, [12]), "_279": (4, [GREY.nbytes])}
    content = handmade("<", plain(**(GREY_TAGS | strip | tags)), GREY.tobytes() * 3)
    assert said in refusal(content)
    with Image.open(io.BytesIO(content)) as image, pytest.raises(InputRefused, match=said):
        rgb_image(image)


def test_what_pillow_does_not_open_is_named():
    fractions = np.zeros((12, 16, 3), np.float32)
    content = handmade("<", plain(_258=(3, [32] * 3), _339=(3, [3] * 3)), fractions.tobytes())
    assert "3 fractions of 32 bits in each pixel" in refusal(content)
