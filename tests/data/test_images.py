import hashlib
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from support.images import encoded, noise, raw_png

from se_viz.data import images, jpeg
from se_viz.data import pixels as pixels_at_once
from se_viz.data.images import FORMATS, MAX_BYTES, MAX_PIXELS, WORKING_SIDE, ImageRefused, InputImage, decode

LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "BMP": {},
    "GIF": {},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_lzw"},
    "PPM": {},
}
LOSSY: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}


def pixels(image: InputImage) -> np.ndarray:
    return np.asarray(image.rgb).astype(int)


VALID = {
    "JPEG": encoded(noise(16, 12), "JPEG"),
    "JPEG, progressive": encoded(noise(16, 12), "JPEG", progressive=True),
    "JPEG with EXIF": encoded(
        noise(16, 12), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    ),
    "MPO": encoded(noise(16, 12), "MPO", save_all=True, append_images=[noise(16, 12)]),
    "PNG": encoded(noise(16, 12), "PNG"),
    "PNG, palette": encoded(noise(16, 12).quantize(8), "PNG", transparency=3),
    "PNG, 16 bits": encoded(Image.fromarray(np.arange(192, dtype=np.uint16).reshape(12, 16) * 300), "PNG"),
    "APNG": encoded(noise(16, 12), "PNG", save_all=True, append_images=[Image.new("RGB", (16, 12))]),
    "GIF": encoded(noise(16, 12).quantize(8), "GIF", save_all=True, append_images=[Image.new("P", (16, 12))]),
    "BMP": encoded(noise(16, 12), "BMP"),
    "BMP, palette": encoded(noise(16, 12).quantize(8), "BMP"),
    "WEBP": encoded(noise(16, 12), "WEBP"),
    "WEBP, animated": encoded(noise(16, 12, 4), "WEBP", save_all=True, append_images=[Image.new("RGBA", (16, 12))]),
    "AVIF": encoded(noise(16, 12), "AVIF"),
    "TIFF": encoded(noise(16, 12), "TIFF"),
    "TIFF, LZW": encoded(noise(16, 12), "TIFF", compression="tiff_lzw"),
    "TIFF, JPEG": encoded(noise(16, 12), "TIFF", compression="jpeg"),
    "PPM": encoded(noise(16, 12), "PPM"),
    "PPM as text": b"P3\n16 12\n255\n" + b" 17 250 0" * 192,
}


# ---- colours


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_format_keeps_its_colours(file_format: str) -> None:
    quarters = np.array([[(255, 0, 0), (0, 128, 0)], [(10, 20, 200), (255, 255, 255)]], dtype=np.uint8)
    expected = quarters.repeat(16, axis=0).repeat(20, axis=1)
    content = encoded(Image.fromarray(expected), file_format, **(LOSSLESS | LOSSY)[file_format])
    image = decode("colours", content)
    assert image.rgb.mode == "RGB"
    assert image.original_size == (40, 32)
    assert image.sha256 == hashlib.sha256(content).hexdigest()
    difference = np.abs(pixels(image) - expected)
    if file_format in LOSSLESS:
        assert difference.max() == 0
    else:
        # Lossy coders blur the seams; away from them the colours stand.
        assert difference.mean() < 2
        assert difference[4:12, 4:16].max() < 4


def test_grey() -> None:
    expected = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = decode("grey.png", encoded(Image.fromarray(expected), "PNG"))
    assert (pixels(image) == expected[..., None]).all()


def test_one_bit() -> None:
    expected = np.random.default_rng(0).integers(0, 2, (9, 11)).astype(bool)
    image = decode("bits.png", encoded(Image.fromarray(expected), "PNG"))
    assert (pixels(image) == 255 * expected[..., None]).all()


def test_sixteen_bit_grey_is_divided_and_not_clipped() -> None:
    levels = np.arange(256).reshape(16, 16)
    image = decode("deep.png", encoded(Image.fromarray((levels * 257).astype(np.uint16)), "PNG"))
    assert (pixels(image) == levels[..., None]).all()


def test_sixteen_bit_grey_with_a_transparent_value() -> None:
    rows = b"".join(b"\0" + struct.pack(">8H", *[1000 * row] * 8) for row in range(8))
    image = decode("deep.png", raw_png(8, 8, 16, 0, rows, (b"tRNS", struct.pack(">H", 3000))))
    assert pixels(image)[:, 0, 0].tolist() == [0, 4, 8, 255, 16, 19, 23, 27]


def test_sixteen_bit_colour_with_a_transparent_value() -> None:
    rows = b"".join(b"\0" + struct.pack(">3H", 0x1000 * row, 0x1234, 0xFFFF) * 8 for row in range(8))
    image = decode("deep.png", raw_png(8, 8, 16, 2, rows, (b"tRNS", struct.pack(">3H", 0x3000, 0x1234, 0xFFFF))))
    expected = [(0x10 * row, 0x12, 0xFF) for row in range(8)]
    expected[3] = (255, 255, 255)
    assert [tuple(pixel) for pixel in pixels(image)[:, 0].tolist()] == expected


def test_palette() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    assert (pixels(decode("p.png", encoded(image, "PNG"))) == (200, 100, 50)).all()


@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
def test_a_transparent_palette_entry_becomes_white(file_format: str) -> None:
    image = Image.fromarray(np.indices((8, 8))[1].astype(np.uint8) % 2).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    result = pixels(decode("p", encoded(image, file_format, transparency=1)))
    assert (result[:, 0::2] == (10, 20, 30)).all()
    assert (result[:, 1::2] == 255).all()


def test_a_palette_with_degrees_of_transparency() -> None:
    image = Image.fromarray(np.indices((8, 8))[1].astype(np.uint8) % 2).convert("P")
    image.putpalette([0, 0, 0, 0, 0, 255])
    result = pixels(decode("p.png", encoded(image, "PNG", transparency=bytes([255, 51]))))
    assert (result[:, 0::2] == 0).all()
    assert (result[:, 1::2] == (204, 204, 255)).all()


@pytest.mark.parametrize(("mode", "colour"), [("RGBA", (200, 100, 0, 51)), ("LA", (100, 51))])
def test_transparency_lies_on_white(mode: str, colour: tuple[int, ...]) -> None:
    image = Image.new(mode, (8, 8), colour)
    expected = [255 - (255 - value) * 51 // 255 for value in colour[:-1]]
    assert (pixels(decode("a.png", encoded(image, "PNG"))) == expected).all()


def test_cmyk() -> None:
    for ink, expected in [((255, 0, 0, 0), (0, 255, 255)), ((0, 0, 0, 128), (127, 127, 127))]:
        image = decode("ink.jpg", encoded(Image.new("CMYK", (16, 16), ink), "JPEG", quality=95))
        assert np.abs(pixels(image) - expected).max() <= 2


# ---- orientation, frames, size

AS_STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", AS_STORED)
def test_exif_orientation(orientation: int) -> None:
    upright = np.asarray(noise(20, 12))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(AS_STORED[orientation](upright)))
    image = decode("turned.png", encoded(stored, "PNG", exif=exif))
    assert (pixels(image) == upright).all()
    assert image.original_size == (20, 12)


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "AVIF"])
def test_exif_orientation_of_other_formats(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.repeat(np.array([[255], [0]], dtype=np.uint8), 16, axis=0).repeat(48, axis=1))
    image = decode("turned", encoded(stored.convert("RGB"), file_format, exif=exif))
    assert image.original_size == image.rgb.size == (32, 48)
    assert (pixels(image)[:, 20:] > 200).all()
    assert (pixels(image)[:, :12] < 55).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0 no TIFF header"])
def test_broken_exif_does_not_cost_the_image(exif: bytes) -> None:
    assert decode("a.jpg", encoded(noise(16, 12), "JPEG", exif=exif)).rgb.size == (16, 12)


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_the_first_frame_of_an_animation(file_format: str) -> None:
    red, blue = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    image = decode("moving", encoded(red, file_format, save_all=True, append_images=[blue], duration=100))
    assert np.abs(pixels(image) - (255, 0, 0)).max() <= 4


def test_a_first_frame_that_is_smaller_than_its_animation_lies_on_white() -> None:
    small = Image.new("P", (10, 10), 1)
    small.putpalette([200, 30, 30, 10, 250, 10])
    content = bytearray(encoded(small, "GIF"))
    content[6:10] = struct.pack("<HH", 20, 24)
    read = pixels(decode("a.gif", bytes(content)))
    assert (read[:10, :10] == (10, 250, 10)).all()
    assert (read[10:] == 255).all()
    assert (read[:, 10:] == 255).all()


def test_the_first_image_of_an_mpo() -> None:
    red, blue = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    image = decode("phone.jpg", encoded(red, "MPO", save_all=True, append_images=[blue]))
    assert np.abs(pixels(image) - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize(
    ("side", "expected"), [(WORKING_SIDE, 512), (1023, 1023), (1024, 512), (1535, 768), (1536, 512), (1537, 513)]
)
def test_large_images_are_reduced_by_an_integer(side: int, expected: int) -> None:
    image = decode("large.png", encoded(Image.new("L", (side, 2 * side), 7), "PNG"))
    assert image.rgb.width == expected
    assert image.original_size == (side, 2 * side)
    assert (pixels(image) == 7).all()


def test_reduction_is_an_average() -> None:
    image = noise(1024, 1026)
    blocks = np.asarray(image).astype(float).reshape(513, 2, 512, 2, 3).mean(axis=(1, 3))
    assert np.abs(pixels(decode("large.bmp", encoded(image, "BMP"))) - blocks).max() <= 0.5


def test_reduction_ignores_the_colour_of_transparent_pixels() -> None:
    stripes = np.zeros((1024, 1024, 4), dtype=np.uint8)
    stripes[:, ::2] = (255, 0, 0, 255)
    result = pixels(decode("stripes.png", encoded(Image.fromarray(stripes), "PNG", compress_level=1)))
    assert np.abs(result - (255, 127.5, 127.5)).max() <= 1


@pytest.mark.parametrize(("size", "expected"), [((1100, 1023), (1100, 1023)), ((3000, 2052), (750, 513))])
def test_a_large_jpeg_is_reduced_while_it_is_decoded(
    size: tuple[int, int], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = set()
    reduced = images.rgb

    def watched(file: ImageFile.ImageFile) -> Image.Image:
        decoded.add(file.size)
        return reduced(file)

    monkeypatch.setattr(images, "rgb", watched)
    ramp = Image.linear_gradient("L").resize(size).convert("RGB")
    image = decode("photo.jpg", encoded(ramp, "JPEG"))
    assert image.rgb.size == expected
    assert image.original_size == size
    assert decoded == {expected}
    assert np.abs(pixels(image) - np.asarray(ramp.resize(expected))).max() <= 6


def test_metadata_is_dropped() -> None:
    content = encoded(noise(16, 12), "JPEG", exif=Image.Exif(), comment=b"taken at home", icc_profile=b"profile")
    assert decode("a.jpg", content).rgb.info == {}


# ---- refusals


def refusal(content: bytes, name: str = "file", most_pixels: int = MAX_PIXELS) -> str:
    with pytest.raises(ImageRefused) as caught:
        decode(name, content, most_pixels)
    assert caught.value.name == name
    assert str(caught.value) == f"{name} was left out: {caught.value.reason}."
    return caught.value.reason


@pytest.mark.parametrize(
    ("content", "called"),
    [
        (b"8BPS\0\1" + bytes(100), "Photoshop"),
        (b"%PDF-1.7\n", "PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\2\0", "video"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (encoded(noise(16, 12), "JPEG2000"), "JPEG 2000"),
        (b"PK\3\4" + bytes(30), "ZIP"),
        (encoded(noise(16, 16), "ICO"), "not an image"),
        (b"just text", "not an image"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_other_formats_are_named_and_the_allowed_ones_listed(content: bytes, called: str) -> None:
    reason = refusal(content)
    assert called in reason
    assert all(name in reason for name in ("JPEG", "PNG", "WebP", "AVIF", "GIF", "BMP"))


def bitmap(alpha: int, masks: tuple[int, int, int, int] = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)) -> bytes:
    """A BMP of 16 × 12 pixels, each (30, 20, 10) and four bytes, with a mask for its alpha channel."""
    body = bytes([10, 20, 30, alpha]) * 192
    head = struct.pack("<IiiHHIIiiII4I", 124, 16, 12, 1, 32, 3, len(body), 0, 0, 0, 0, *masks).ljust(124, b"\0")
    return b"BM" + struct.pack("<IHHI", 138 + len(body), 0, 0, 138) + head + body


@pytest.mark.parametrize(("alpha", "expected"), [(0, (30, 20, 10)), (255, (30, 20, 10)), (51, (210, 208, 206))])
def test_a_bmp_with_an_empty_alpha_channel_is_opaque(alpha: int, expected: tuple[int, int, int]) -> None:
    assert (pixels(decode("a.bmp", bitmap(alpha))) == expected).all()


def test_kinds_of_files_that_no_decoder_takes_are_not_called_damaged() -> None:
    assert "BMP of an unusual kind" in refusal(bitmap(0, (0x3FF00000, 0xFFC00, 0x3FF, 0)))
    jpeg = encoded(noise(16, 12), "JPEG")
    frame = jpeg.index(b"\xff\xc0")
    assert "JPEG of 12 bits" in refusal(jpeg[: frame + 4] + b"\x0c" + jpeg[frame + 5 :])
    assert "lossless" in refusal(jpeg[:frame] + b"\xff\xc3" + jpeg[frame + 2 :])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (encoded(noise(16, 12), "AVIF")[:60], "damaged or cut short"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer.*git lfs pull"),
        (b"\n<!DOCTYPE html><html><title>Log in</title>", "web page"),
        (bytes(99), "only zero bytes"),
        (b"\0\0\0\x18ftyphevx\0\0\0\0", "HEIC"),
    ],
)
def test_what_came_in_place_of_an_image_is_named(content: bytes, said: str) -> None:
    assert re.search(said, refusal(content))


def test_empty_and_oversized_files() -> None:
    assert "empty" in refusal(b"")
    assert "50 MB" in refusal(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize("name", [name for name in VALID if name != "MPO"])
def test_a_file_cut_short_is_refused(name: str) -> None:
    assert "; " in refusal(VALID[name][: len(VALID[name]) // 2])


@pytest.mark.parametrize("side", [10_001, 15_000])
def test_too_many_pixels(side: int) -> None:
    # The second is beyond the size at which Pillow raises by itself.
    assert "100 million pixels" in refusal(raw_png(side, side, 1, 0, b""))


@pytest.mark.parametrize("name", VALID)
def test_the_size_is_judged_before_any_pixel_is_decoded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decode("fits", VALID[name], 16 * 12)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    assert "million pixels" in refusal(VALID[name], most_pixels=16 * 12 - 1)


@pytest.mark.parametrize(
    ("file_format", "options", "side", "expected"),
    [
        ("PNG", {}, 300, 300 * 300),
        ("WEBP", {"lossless": True}, 300, 300 * 300),
        ("WEBP", {}, 300, 300 * 300),
        ("JPEG", {}, 1024, 512 * 512),  # drafted
        ("JPEG", {"progressive": True}, 1024, 1024 * 1024),
    ],
)
def test_room_is_held_for_the_pixels_that_are_decoded(
    file_format: str, options: dict[str, Any], side: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = pixels_at_once.Budget(10**8)
    monkeypatch.setattr(pixels_at_once, "budget", lambda: budget)
    left = []
    reduced = images.rgb

    def watched(file: ImageFile.ImageFile) -> Image.Image:
        left.append(budget.left)
        return reduced(file)

    monkeypatch.setattr(images, "rgb", watched)
    content = encoded(Image.new("L", (side, side)), file_format, **options)
    decode("a", content)
    assert left == [10**8 - expected]
    refusal(content[:-40] if file_format != "WEBP" else content[:-10])
    assert budget.left == 10**8


def test_room_for_a_webp_is_held_before_its_decoder_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for options in (
        {"lossless": True},
        {"quality": 80},
        {"save_all": True, "append_images": [Image.new("L", (64, 48))]},
    ):
        content = encoded(Image.new("RGB", (64, 48), "red"), "WEBP", **options)
        held = []

        @contextmanager
        def room(pixels: int, held: list[int] = held) -> Iterator[None]:
            held.append(pixels)
            with monkeypatch.context() as patch:
                really_open = Image.open
                patch.setattr(Image, "open", lambda *args, **given: held.append(-1) or really_open(*args, **given))
                yield

        images.decode_pixels("a.webp", content, room)
        assert held == [64 * 48, -1]


def test_a_webp_that_is_too_large_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(Image.new("RGB", (64, 48)), "WEBP", lossless=True)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened"))
    assert "million pixels" in refusal(content, most_pixels=64 * 48 - 1)


def test_tiny_images_and_strips() -> None:
    assert decode("a.png", encoded(Image.new("L", (8, 80)), "PNG")).rgb.size == (8, 80)
    assert "7 × 40 pixels" in refusal(encoded(Image.new("L", (7, 40)), "PNG"))
    assert "10 times" in refusal(encoded(Image.new("L", (8, 81)), "PNG"))


def test_a_jpeg_of_endless_scans() -> None:
    content = VALID["JPEG, progressive"]
    last_scan, end = content.rindex(b"\xff\xda"), len(content) - 2
    assert decode("a.jpg", content).rgb.size == (16, 12)
    assert "scans" in refusal(content[:end] + content[last_scan:end] * jpeg.MAX_SCANS + content[end:])


# ---- whatever the bytes are


def decodes_or_is_refused(content: bytes) -> None:
    with warnings.catch_warnings():
        # Outside of tests Pillow's warnings are no errors, and what comes after them has to hold too.
        warnings.simplefilter("ignore")
        try:
            image = decode("any", content)
        except ImageRefused:
            return
    assert image.rgb.mode == "RGB"
    assert type(image.rgb) is Image.Image
    assert np.asarray(image.rgb).shape == (image.rgb.height, image.rgb.width, 3)
    assert WORKING_SIDE * 2 > min(image.rgb.size) >= min(WORKING_SIDE, *image.original_size)


SIGNATURES = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF\0\0\0\0WEBPVP8 ", b"\0\0\0 ftypavif"]
SIGNATURES += [b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"P6 8 8 255 ", b"P2 8 8 255 "]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SIGNATURES), st.binary(max_size=200))
def test_arbitrary_bytes(signature: bytes, content: bytes) -> None:
    decodes_or_is_refused(signature + content)


@pytest.mark.slow
@pytest.mark.parametrize("name", VALID)
def test_mutated_files(name: str) -> None:
    content = VALID[name]
    change = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))

    @settings(max_examples=100, deadline=None)
    @given(st.lists(change, max_size=6), st.integers(0, len(content)))
    @example([], len(content))
    def mutated(changes: list[tuple[int, int]], kept: int) -> None:
        mutant = bytearray(content)
        for position, value in changes:
            mutant[position] = value
        decodes_or_is_refused(bytes(mutant[: kept or None]))
        decodes_or_is_refused(bytes(mutant))

    mutated()


def test_images_are_equal_when_their_files_are() -> None:
    first, again = decode("a.png", VALID["PNG"]), decode("b.png", VALID["PNG"])
    assert first == again
    assert len({first, again, decode("a.png", VALID["BMP"])}) == 2
