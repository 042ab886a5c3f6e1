"""An image → a model's input, with the preprocessing that the model was evaluated with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageFile
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from se_viz.data.colours import upright_rgb
from se_viz.types import UInt8s

Interpolation: TypeAlias = Literal["nearest", "bilinear", "bicubic", "lanczos"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocess:
    """The preprocessing of a model: resize, crop the centre, scale to 0–1, normalise.

    Attributes:
        crop: height and width of the model's input, in pixels.
        resize: length of the shorter side before the crop, in pixels; or height and width, to which every image is
            resized without keeping its aspect ratio.
        interpolation: the resampling filter.
        mean, std: mean and SD per RGB channel, of values in 0–1.
    """

    crop: tuple[int, int] = (128, 128)
    resize: int | tuple[int, int] = 128
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    @cached_property
    def _geometry(self) -> v2.Compose:
        filters = InterpolationMode(self.interpolation)
        return v2.Compose([v2.Resize(self.resize, interpolation=filters), v2.CenterCrop(self.crop)])

    def center_crop(self, image: Image.Image) -> Image.Image:
        """Return the RGB image that the model sees: ``image`` resized and cropped to ``crop``, before normalisation.

        An opened file, which may have an orientation, and an image of another mode are converted, see ``data.colours``.
        """
        plain = image.mode == "RGB" and not isinstance(image, ImageFile.ImageFile)
        cropped: Image.Image = self._geometry(image if plain else upright_rgb(image))
        return cropped

    def pixels(self, image: Image.Image) -> UInt8s:
        """Return ``center_crop`` as uint8 (3, H, W)."""
        return np.ascontiguousarray(np.asarray(self.center_crop(image)).transpose(2, 0, 1))

    def normalise(self, pixels: Tensor) -> Tensor:
        """Normalise uint8 (…, 3, H, W) of 0–255 to float32 of the same shape, by the mean and SD of each channel."""
        scale = torch.tensor([1 / (255 * std) for std in self.std], device=pixels.device).view(3, 1, 1)
        shift = torch.tensor([m / s for m, s in zip(self.mean, self.std, strict=True)], device=pixels.device)
        return pixels.float().mul_(scale).sub_(shift.view(3, 1, 1))

    def __call__(self, images: Image.Image | Iterable[Image.Image]) -> Tensor:
        """Return the model's input for images: float32 (N, 3, H, W)."""
        listed: Sequence[Image.Image] = [images] if isinstance(images, Image.Image) else list(images)
        if not listed:
            return torch.empty(0, 3, *self.crop)
        return self.normalise(torch.from_numpy(np.stack([self.pixels(image) for image in listed])))
