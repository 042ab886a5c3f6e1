import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.images import encoded, noise
from torchvision import transforms

from se_viz.data.preprocess import IMAGENET_MEAN, IMAGENET_STD, Interpolation, Preprocess

INTERPOLATIONS: tuple[Interpolation, ...] = ("nearest", "bilinear", "bicubic", "lanczos")


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(200, 150), (150, 200), (128, 128), (61, 347)])
@pytest.mark.parametrize(("resize", "crop"), [(128, (128, 128)), (146, (128, 128)), (100, (64, 90)), (64, (80, 72))])
def test_equals_torchvision(
    interpolation: Interpolation, size: tuple[int, int], resize: int, crop: tuple[int, int]
) -> None:
    image = noise(*size)
    reference = transforms.Compose(
        [
            transforms.Resize(resize, interpolation=transforms.InterpolationMode(interpolation)),
            transforms.CenterCrop(crop),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    result = Preprocess(crop=crop, resize=resize, interpolation=interpolation)(image)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result[0], reference(image), atol=1e-5, rtol=0)


def test_other_statistics() -> None:
    preprocess = Preprocess(mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 1.0))
    reference = transforms.Compose([transforms.ToTensor(), transforms.Normalize(preprocess.mean, preprocess.std)])
    image = noise(128, 128)
    torch.testing.assert_close(preprocess(image)[0], reference(image), atol=1e-5, rtol=0)


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.tuples(st.integers(8, 90), st.integers(8, 90)), max_size=4),
    crop=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    resize=st.integers(8, 60),
    interpolation=st.sampled_from(INTERPOLATIONS),
)
def test_the_shape_does_not_depend_on_the_images(
    sizes: list[tuple[int, int]], crop: tuple[int, int], resize: int, interpolation: Interpolation
) -> None:
    preprocess = Preprocess(crop=crop, resize=resize, interpolation=interpolation)
    assert preprocess(noise(*size) for size in sizes).shape == (len(sizes), 3, *crop)


def test_a_batch_is_its_images_one_by_one() -> None:
    preprocess = Preprocess(crop=(32, 48), resize=40)
    batch = [noise(100, 50), noise(50, 100)]
    assert torch.equal(preprocess(batch), torch.cat([preprocess(image) for image in batch]))


def test_pixels_and_cut_show_what_the_model_is_shown() -> None:
    preprocess = Preprocess(crop=(32, 48), resize=40)
    image = noise(100, 80)
    pixels = preprocess.pixels(image)
    assert pixels.dtype == np.uint8
    assert (pixels.transpose(1, 2, 0) == np.asarray(preprocess.center_crop(image))).all()
    assert torch.equal(preprocess.normalise(torch.from_numpy(pixels)), preprocess(image)[0])


def test_an_image_may_be_squeezed_whatever_its_shape() -> None:
    reference = transforms.Compose(
        [transforms.Resize((90, 70)), transforms.CenterCrop((64, 48)), transforms.ToTensor()]
    )
    squeezed = Preprocess(crop=(64, 48), resize=(90, 70), mean=(0, 0, 0), std=(1, 1, 1))
    for size in [(200, 150), (61, 347), (33, 40)]:
        torch.testing.assert_close(squeezed(noise(*size))[0], reference(noise(*size)), atol=1e-5, rtol=0)


def test_an_opened_file_is_turned_as_its_orientation_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = noise(40, 30)
    preprocess = Preprocess(crop=(32, 32), resize=32)
    turned = preprocess(image.transpose(Image.Transpose.ROTATE_270))
    with Image.open(io.BytesIO(encoded(image, "PNG", exif=exif))) as file:
        assert torch.equal(preprocess(file), turned)
