"""The transparent colour of a PNG is compared in all the bits that the file has."""

import io

import numpy as np
import pytest
from PIL import Image
from test_images import png

from se_viz.data.colours import rgb
from se_viz.data.images import decode

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
    content = png(16, side, 16, 2, rows, (b"tRNS", np.array(clear, ">u2").tobytes()))
    if side == 16:
        assert np.array_equal(white(decode("a.png", content).image), (values == np.array(clear)).all(-1))
        opened = Image.open(io.BytesIO(content))
        assert np.array_equal(white(rgb(opened)), (values == np.array(clear)).all(-1))
        assert np.array_equal(np.asarray(opened), values >> 8)
    else:
        with pytest.raises(ValueError, match="10 times"):
            decode("a.png", content)


def test_a_black_of_16_bits_that_is_not_quite_the_transparent_one():
    values = np.array([[(0, 0, 5), (0, 0, 6)]], ">u2").repeat(8, 0).repeat(8, 1)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    content = png(16, 8, 16, 2, rows, (b"tRNS", np.array((0, 0, 5), ">u2").tobytes()))
    assert white(decode("a.png", content).image)[0].tolist() == [True] * 8 + [False] * 8


def test_grey_of_16_bits():
    values = np.array([[1000, 1001, 1028, 1200]], ">u2").repeat(8, 0).repeat(4, 1)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    content = png(16, 8, 16, 0, rows, (b"tRNS", np.array(1000, ">u2").tobytes()))
    assert white(decode("a.png", content).image)[0].tolist() == [True] * 4 + [False] * 12


@pytest.mark.parametrize(("bits", "clear"), [(1, 1), (1, 0), (2, 1), (4, 9), (8, 9)])
def test_grey_of_few_bits(bits, clear):
    values = RNG.integers(0, 2**bits - 1, (8, 16)) if bits > 1 else RNG.integers(0, 2, (8, 16))
    packed = np.packbits((values[..., None] >> np.arange(bits)[::-1]) & 1, axis=None).reshape(8, -1)
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in packed)
    content = png(16, 8, bits, 0, rows, (b"tRNS", np.array(clear, ">u2").tobytes()))
    seen = np.asarray(decode("a.png", content).image)[..., 0]
    shades = np.rint(values * (255 / (2**bits - 1)))
    assert np.array_equal(seen, np.where(values == clear, 255, shades))
