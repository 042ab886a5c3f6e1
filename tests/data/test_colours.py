"""An image in Python is taken as a file of it would be, whatever its mode."""

import io

import numpy as np
import pytest
from PIL import Image
from support.images import encoded

from se_viz.data.colours import WORKING_SIDE, RangeUnknown, orientation_of, rgb, upright_rgb
from se_viz.data.images import decode

SHADES = np.random.default_rng(0).integers(0, 256, (12, 16, 4), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (12, 16), dtype=np.uint16)


def with_transparency(image, value):
    image.info["transparency"] = value
    return image


COLOURS = Image.fromarray(SHADES[..., :3])
CLEAR = Image.fromarray(SHADES)
# What to convert, and a file that holds the same.
AS_FILE = {
    "L": (COLOURS.convert("L"), "PNG"),
    "1": (COLOURS.convert("1"), "PNG"),
    "P": (COLOURS.quantize(16), "PNG"),
    "LA": (CLEAR.convert("LA"), "PNG"),
    "RGB": (COLOURS, "PNG"),
    "RGBA": (CLEAR, "PNG"),
    "I;16": (Image.fromarray(DEEP), "PNG"),
    "I": (Image.fromarray(DEEP.astype(np.int32)), "PPM"),
    "CMYK": (COLOURS.convert("CMYK"), "TIFF"),
    "YCbCr": (COLOURS.convert("YCbCr"), "TIFF"),
    "LAB": (Image.frombytes("LAB", (16, 12), SHADES[..., :3].tobytes()), "TIFF"),
    "I;16B": (Image.fromarray(DEEP.astype(">u2")), "TIFF"),
    "P with a transparent entry": (with_transparency(COLOURS.quantize(16), 3), "PNG"),
    "P with degrees": (with_transparency(COLOURS.quantize(4), bytes([0, 90, 200, 255])), "PNG"),
    "L with a transparent shade": (
        with_transparency(COLOURS.convert("L"), int(COLOURS.convert("L").getpixel((3, 4)))),
        "PNG",
    ),
    "RGB with a transparent colour": (with_transparency(COLOURS.copy(), COLOURS.getpixel((3, 4))), "PNG"),
}


@pytest.mark.parametrize("name", AS_FILE)
def test_an_image_is_converted_as_its_file_is(name):
    image, file_format = AS_FILE[name]
    mode, before = image.mode, image.tobytes()
    from_file = decode("file", encoded(image, file_format)).rgb
    assert np.array_equal(np.asarray(upright_rgb(image)), np.asarray(from_file))
    assert (image.mode, image.tobytes()) == (mode, before)


@pytest.mark.parametrize("order", ["I;16", "I;16L", "I;16B", "I;16N"])
def test_sixteen_bits_in_every_byte_order(order):
    image = Image.new(order, (8, 8), 40000)
    assert (np.asarray(rgb(image)) == 156).all()


def test_a_transparent_shade_of_16_bits_is_compared_in_all_of_them():
    image = with_transparency(
        Image.fromarray(np.array([[1000, 1001], [1128, 1000]], np.uint16).repeat(8, 0).repeat(8, 1)), 1000
    )
    assert np.asarray(rgb(image))[::8, ::8, 0].tolist() == [[255, 4], [4, 255]]


@pytest.mark.parametrize(("mode", "straight"), [("La", "LA"), ("RGBa", "RGBA"), ("PA", "RGBA")])
def test_modes_that_no_file_has_are_those_they_stand_for(mode, straight):
    colours = Image.fromarray(np.full((8, 8, 4), (200, 100, 0, 51), np.uint8)).convert(straight)
    odd = colours.convert(mode) if mode != "PA" else colours.convert("RGB").quantize(4).convert("PA")
    if mode == "PA":
        odd.putalpha(colours.getchannel("A"))
    expected = np.asarray(rgb(colours)).astype(int)
    # Premultiplied colours of 20% opacity are known to a fifth of their steps.
    assert np.abs(np.asarray(rgb(odd)).astype(int) - expected).max() <= 2


def test_four_bytes_without_transparency():
    image = Image.frombytes("RGBX", (16, 12), SHADES.tobytes())
    assert np.array_equal(np.asarray(rgb(image)), SHADES[..., :3])


def test_hue_saturation_value():
    image = Image.new("HSV", (8, 8), (0, 255, 200))
    assert (np.asarray(rgb(image)) == (200, 0, 0)).all()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((8, 8), 0.5, np.float32), "fractions"),
        (np.full((8, 8), 255, np.int32), "8-bit or 16-bit"),
        (np.full((8, 8), 70000, np.int32), "from 70000 to 70000"),
        (np.full((8, 8), -1, np.int32), "from -1"),
    ],
)
def test_numbers_of_unknown_range_are_refused(values, said):
    with pytest.raises(RangeUnknown, match=said):
        rgb(Image.fromarray(values))


def test_the_exif_orientation_is_applied_and_the_metadata_dropped():
    exif = Image.Exif()
    exif[0x0112] = 6
    for file_format in ("PNG", "JPEG", "TIFF"):
        content = encoded(COLOURS, file_format, exif=exif)
        opened = Image.open(io.BytesIO(content))
        turned = upright_rgb(opened)
        assert turned.size == (12, 16)
        assert np.array_equal(np.asarray(turned), np.asarray(decode("file", content).rgb))
        assert turned.info == {}
        assert orientation_of(turned) == 1


def test_large_images_are_reduced_as_their_files_are():
    large = Image.linear_gradient("L").resize((1100, 2 * WORKING_SIDE + 7))
    assert np.array_equal(np.asarray(rgb(large)), np.asarray(decode("file", encoded(large, "PNG")).rgb))
