"""Images from Python: what is unambiguous is read, the rest is refused with a sentence."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from support.images import encoded

from se_viz.data.images import decode
from se_viz.data.python_images import InputRefused, one_by_one, rgb_image
from se_viz.gates.errors import NotAnImageModel
from se_viz.interventions.capture import capture

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (20, 30, 4), dtype=np.uint8)
FIRST = torch.from_numpy(COLOURS).permute(2, 0, 1)


def of_file(pixels):
    return np.asarray(decode("a.png", encoded(Image.fromarray(pixels))).rgb)


READ = {
    "RGB, channels last": (COLOURS, of_file(COLOURS)),
    "RGBA, channels last": (ALPHA, of_file(ALPHA)),
    "grey and alpha": (ALPHA[..., :2], of_file(ALPHA[..., :2])),
    "grey": (GREY, of_file(GREY)),
    "grey with an axis": (GREY[..., None], of_file(GREY)),
    "bits": (GREY > 99, of_file(GREY > 99)),
    "16 bits": (np.full((20, 30), 40000, np.uint16), np.full((20, 30, 3), 156)),
    "16 bits, big-endian": (np.full((20, 30), 40000, ">u2"), np.full((20, 30, 3), 156)),
    "colours of 16 bits": (COLOURS.astype(np.uint16) * 256, COLOURS),
    "floats in 0–1": (COLOURS / 255, COLOURS),
    "half floats": ((GREY > 99).astype(np.float16), of_file(GREY > 99)),
    "a slice": (np.repeat(COLOURS, 2, 0)[::2], COLOURS),
    "RGB tensor": (FIRST, COLOURS),
    "grey tensor": (torch.from_numpy(GREY), of_file(GREY)),
    "grey tensor with an axis": (torch.from_numpy(GREY)[None], of_file(GREY)),
    "RGBA tensor": (torch.from_numpy(ALPHA).permute(2, 0, 1), of_file(ALPHA)),
    "an open file": (Image.open(io.BytesIO(encoded(Image.fromarray(ALPHA)))), of_file(ALPHA)),
    "an image": (decode("a.png", encoded(Image.fromarray(GREY))), of_file(GREY)),
}


@pytest.mark.parametrize("name", READ)
def test_one_image(name):
    image, expected = READ[name]
    assert np.array_equal(np.asarray(rgb_image(image)), expected)
    assert [np.array_equal(np.asarray(one), expected) for one in one_by_one(image)] == [True]


def test_several_images():
    batch = np.stack([COLOURS, COLOURS[::-1]])
    for images in (
        batch,
        torch.from_numpy(batch).permute(0, 3, 1, 2),
        [COLOURS, Image.fromarray(batch[1])],
        iter([FIRST, batch[1]]),
    ):
        assert np.array_equal([np.asarray(one) for one in one_by_one(images)], batch)


@pytest.mark.parametrize("axis", [-1, 0])
def test_two_channels_are_grey_and_alpha(axis):
    grey, alpha = ALPHA[..., 0], ALPHA[..., 3]
    two = np.stack([grey, alpha], axis)
    given = two if axis else torch.from_numpy(two)
    assert np.array_equal(one_array(given), one_array(np.stack([grey, grey, grey, alpha], -1)))


def one_array(image):
    return np.asarray(next(one_by_one(image)))


REFUSED = {
    "floats beyond 1": (COLOURS.astype(np.float32), "numbers from 0 to 255"),
    "floats below 0": (COLOURS / 255 - 0.5, "numbers from -0.5"),
    "not a number": (np.full((20, 30), np.nan), "nan"),
    "wide integers": (COLOURS.astype(np.int64), "unknown range"),
    "channels first": (COLOURS.transpose(2, 0, 1), "np.moveaxis"),
    "channels first, several": (COLOURS.transpose(2, 0, 1)[None], "np.moveaxis"),
    "a preprocessed array": (RNG.normal(size=(2, 3, 20, 30)), "tensor of floats"),
    "first or last": (np.zeros((3, 30, 3), np.uint8), "first or last"),
    "a vector": (np.zeros(5, np.uint8), "is not"),
    "channels last in a tensor": (torch.from_numpy(COLOURS), "movedim"),
    "five channels": (np.zeros((20, 30, 5), np.uint8), r"2 \(grey and alpha\)"),
    "five channels in a tensor": (torch.zeros(5, 20, 30, dtype=torch.uint8), r"2 \(grey and alpha\).*movedim"),
    "two channels, first": (np.zeros((2, 20, 30), np.uint8), "np.moveaxis"),
    "first or last in a tensor": (torch.zeros(3, 20, 3, dtype=torch.uint8), "first or last"),
    "wide integers in a tensor": (FIRST.long(), "unknown range"),
    "floats in a list": ([FIRST / 255], "Image 0 of the list.*torch.stack"),
    "fractions": (Image.fromarray(np.ones((9, 9), np.float32)), "mode F"),
    "no pixels": (Image.new("RGB", (0, 5)), "0 × 5"),
    "cut short": (Image.open(io.BytesIO(encoded(Image.fromarray(COLOURS))[:900])), "cannot be read"),
    "a path": ("cat.jpg", "read_paths"),
    "bytes": (b"\x89PNG", "read_paths"),
    "a list of paths": (["cat.jpg"], "Image 0 of the list is of type str"),
    "a number": (3, "int is not an image"),
    "nothing": (None, "NoneType is not an image"),
    "with its label": ((Image.fromarray(GREY), 3), "Image 1 of the list is of type int"),
    "an item": ({"image": Image.fromarray(GREY)}, "type str"),
    "masked": (np.ma.masked_greater(COLOURS, 100), "masked pixels"),
    "masked floats": (np.ma.masked_greater(COLOURS / 255, 0.5), "masked pixels"),
    "sparse": ([FIRST.to_sparse()], "Image 0 of the list is a tensor that is sparse"),
    "no numbers": (FIRST.to("meta"), "on the meta device"),
    "batches in a list": ([COLOURS[None]], "one by one"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_rest_is_refused(name):
    images, said = REFUSED[name]
    with pytest.raises(InputRefused, match=f"(?s){said}"):
        list(one_by_one(images))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "I;16", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_a_model_reads_an_image_of_any_mode_as_its_file(model, mode):
    image = Image.new(mode, (40, 30), 40000) if mode == "I;16" else Image.fromarray(ALPHA).convert("RGB").convert(mode)
    file_format = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    content = io.BytesIO()
    (image.convert("RGB") if mode == "HSV" else image).save(content, file_format)
    decoded = decode("file", content.getvalue())
    ours, file = capture(model, image), capture(model, decoded)
    assert all(np.array_equal(ours[gate].s, file[gate].s) for gate in ours.gates)


def test_a_model_takes_a_tensor_of_floats_as_preprocessed_and_no_other(model):
    floats = torch.randn(2, 3, 128, 128)
    assert model.inputs(floats) is floats
    assert torch.equal(model.inputs(FIRST), model.inputs(Image.fromarray(COLOURS)))
    assert model.inputs([]).shape == (0, 3, 128, 128)
    with pytest.raises(InputRefused, match="permute"):
        capture(model, floats.permute(0, 2, 3, 1))
    with pytest.raises(NotAnImageModel, match="uint8"):
        capture(model.network, torch.zeros(1, 3, 128, 128, dtype=torch.uint8))
