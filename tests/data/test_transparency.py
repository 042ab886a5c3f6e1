"""The transparent colour of a PNG is compared in all the bits that the file has."""

import io

import numpy as np
import pytest
from PIL import Image
from support.images import raw_png

from se_viz.data.colours import rgb
from se_viz.data.images import decode
from se_viz.data.python_images import InputRefused, rgb_image

RNG = np.random.default_rng(0)


def white(image):
    return (np.asarray(image) == 255).all(-1)


@pytest.mark.parametrize("side", [16, 1100])
def test_colours_of_16_bits(side):
    # Colours that share their high bytes with the transparent one, and a black that is not it.
    clear = (0x1234, 5, 0x56FF)
    others = [(0x1233, 5, 0x56FF), (0x1234, 4, 0x56FF), (0x1234, 5, 0x5600), (0, 0, 0)]
    values = np.array([clear, *others], ">u2")[RNG.integers(0, 5, (side, 16))]
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    content = raw_png(16, side, 16, 2, rows, (b"tRNS", np.array(clear, ">u2").tobytes()))
    if side == 16:
        assert np.array_equal(white(decode("a.png", content).rgb), (values == np.array(clear)).all(-1))
        opened = Image.open(io.BytesIO(content))
        assert np.array_equal(white(rgb(opened)), (values == np.array(clear)).all(-1))
        assert np.array_equal(np.asarray(opened), values >> 8)
    else:
        with pytest.raises(ValueError, match="10 times"):
            decode("a.png", content)


def test_a_black_of_16_bits_that_is_not_quite_the_transparent_one():
    values = np.array([[(0, 0, 5), (0, 0, 6)]], ">u2").repeat(8, 0).repeat(8, 1)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    content = raw_png(16, 8, 16, 2, rows, (b"tRNS", np.array((0, 0, 5), ">u2").tobytes()))
    assert white(decode("a.png", content).rgb)[0].tolist() == [True] * 8 + [False] * 8


def test_grey_of_16_bits():
    values = np.array([[1000, 1001, 1028, 1200]], ">u2").repeat(8, 0).repeat(4, 1)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    content = raw_png(16, 8, 16, 0, rows, (b"tRNS", np.array(1000, ">u2").tobytes()))
    assert white(decode("a.png", content).rgb)[0].tolist() == [True] * 4 + [False] * 12


@pytest.mark.parametrize(("bits", "clear"), [(1, 1), (1, 0), (2, 1), (4, 9), (8, 9)])
def test_grey_of_few_bits(bits, clear):
    values = RNG.integers(0, 2**bits - 1, (8, 16)) if bits > 1 else RNG.integers(0, 2, (8, 16))
    packed = np.packbits((values[..., None] >> np.arange(bits)[::-1]) & 1, axis=None).reshape(8, -1)
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in packed)
    content = raw_png(16, 8, bits, 0, rows, (b"tRNS", np.array(clear, ">u2").tobytes()))
    seen = np.asarray(decode("a.png", content).rgb)[..., 0]
    shades = np.rint(values * (255 / (2**bits - 1)))
    assert np.array_equal(seen, np.where(values == clear, 255, shades))


# ---- images that were loaded before


def sixteen_bit_rgb(*, late=False):
    """Colours that share their high bytes with the transparent one: 1 of 7 is it, 3 of 7 look like it in 8 bits."""
    shades = np.array([0x1234, 0x1235, 0x12FF, 0x1334, 0x5678, 0x9ABC, 0xDEF0], ">u2")
    values = shades[np.arange(64 * 63).reshape(64, 63) % 7]
    rows = b"".join(b"\0" + row.repeat(3).tobytes() for row in values)
    clear = (b"tRNS", np.array([0x1234] * 3, ">u2").tobytes())
    return (late_clear if late else raw_png)(63, 64, 16, 2, rows, clear), values == 0x1234


def late_clear(width, height, bits, kind, rows, clear):
    """A PNG whose transparent colour stands behind the pixels."""
    content = raw_png(width, height, bits, kind, rows, clear)
    start = content.index(b"tRNS") - 4
    chunk = content[start : start + 18]
    return content.replace(chunk, b"").replace(content[-12:], chunk + content[-12:])


@pytest.mark.parametrize("late", [False, True])
def test_the_whole_transparent_colour_of_16_bits_is_compared(late):
    content, clear = sixteen_bit_rgb(late=late)
    assert round(white(decode("a.png", content).rgb).mean(), 2) == 0.14
    assert np.array_equal(white(decode("a.png", content).rgb), clear)


def test_a_loaded_image_is_looked_up_in_its_file(tmp_path):
    content, clear = sixteen_bit_rgb()
    path = tmp_path / "a.png"
    path.write_bytes(content)
    opened = Image.open(path)
    opened.load()
    assert np.array_equal(white(rgb_image(opened)), clear)
    with Image.open(path) as unnamed:
        assert unnamed.getpixel((0, 0)) == (0x12,) * 3
        assert np.array_equal(white(rgb_image(unnamed)), clear)


def test_a_loaded_image_whose_file_is_another_by_now_is_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(sixteen_bit_rgb()[0])
    opened = Image.open(path)
    opened.load()
    Image.new("RGB", (63, 64)).save(path)
    with pytest.raises(InputRefused, match=r"half of its bits were lost when it was loaded; give its file to"):
        rgb_image(opened)
    path.unlink()
    with pytest.raises(InputRefused, match="half of its bits"):
        rgb_image(opened)


def test_a_loaded_image_without_its_file_is_taken_where_no_colour_is_close_to_the_transparent_one():
    content, _ = sixteen_bit_rgb()
    opened = Image.open(io.BytesIO(content))
    opened.load()
    with pytest.raises(InputRefused, match="half of its bits"):
        rgb_image(opened)
    with pytest.raises(InputRefused, match="half of its bits"):
        rgb_image(opened.copy())
    opened.info["transparency"] = (0x7700, 0, 0)
    assert not white(rgb_image(opened)).any()


@pytest.mark.parametrize(("bits", "clear"), [(2, 1), (4, 9)])
def test_a_loaded_grey_image_of_few_bits(bits, clear, tmp_path):
    values = RNG.integers(0, 2**bits - 1, (8, 16))
    packed = np.packbits((values[..., None] >> np.arange(bits)[::-1]) & 1, axis=None).reshape(8, -1)
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in packed)
    (tmp_path / "a.png").write_bytes(raw_png(16, 8, bits, 0, rows, (b"tRNS", np.array(clear, ">u2").tobytes())))
    opened = Image.open(tmp_path / "a.png")
    opened.load()
    seen = np.asarray(rgb_image(opened))[..., 0]
    assert np.array_equal(seen, np.where(values == clear, 255, np.rint(values * (255 / (2**bits - 1)))))


@pytest.mark.parametrize(("bits", "kind", "clear"), [(8, 0, [0xAB09]), (8, 2, [0xAB09] * 3), (2, 0, [0xAB01])])
def test_of_a_transparent_colour_only_the_bits_of_the_pixels_count(bits, kind, clear):
    values = np.array([9, 10, 1, 2] if bits == 8 else [1, 2, 0, 0]).repeat(4)
    row = values.astype(np.uint8) if bits == 8 else np.packbits((values[:, None] >> np.arange(bits)[::-1]) & 1)
    row = row.repeat(3) if kind == 2 else row
    content = raw_png(16, 8, bits, kind, (b"\0" + row.tobytes()) * 8, (b"tRNS", np.array(clear, ">u2").tobytes()))
    assert white(decode("a.png", content).rgb)[0].tolist() == [True] * 4 + [False] * 12
