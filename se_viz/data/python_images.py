"""Images of Python code (PIL, NumPy, torch) → RGB images, or an error that says what to do."""

import os
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from se_viz.data.colours import RangeUnknown, upright_rgb
from se_viz.data.images import InputImage
from se_viz.types import Array

Image: TypeAlias = InputImage | PIL.Image.Image | Array | Tensor

_CHANNELS = (1, 2, 3, 4)  # as Image.fromarray takes them
_MEANINGS = "1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA)"
_IMAGE_AXES = 3
_TOP = 255
_SIXTEEN_BITS = 2  # bytes


class InputRefused(ValueError):
    """An input is not an image, or its layout or range is ambiguous; the message says what to do."""


def one_by_one(images: Image | Iterable[Image]) -> Iterator[PIL.Image.Image]:
    """Yield RGB images from one image, from several, or from an array or tensor of several.

    Raises:
        InputRefused: at the first input that is not an image, or whose layout or range is ambiguous.
    """
    if isinstance(images, str | bytes | os.PathLike):
        raise InputRefused(
            f"{type(images).__name__} is not an image: se_viz.read_paths(…).images reads files, Image.open reads one."
        )
    if isinstance(images, PIL.Image.Image | InputImage | np.ndarray | Tensor):
        yield from _images(images, "The image")
        return
    if not isinstance(images, Iterable):
        raise InputRefused(f"{type(images).__name__} is not an image: give a PIL image, a NumPy array, or several.")
    for index, image in enumerate(images):
        if isinstance(image, np.ndarray | Tensor) and image.ndim > _IMAGE_AXES:
            raise InputRefused(
                f"Image {index} of the list has {image.ndim} axes: give images one by one, or one array."
            )
        yield from _images(image, f"Image {index} of the list")


def rgb_image(image: Image, called: str = "The image") -> PIL.Image.Image:
    """Return one image as RGB, upright, over white.

    Args:
        image: an ``InputImage``, a PIL image of any mode, an array (H, W) or (H, W, channels), or a uint8 tensor
            (channels, H, W).
        called: the subject of a sentence about the image.

    Raises:
        InputRefused: it is something else, or its layout or range is ambiguous.
    """
    listed = list(_images(image, called))
    if len(listed) != 1:
        raise InputRefused(f"{called} is {len(listed)} images: give them one by one.")
    return listed[0]


def _images(image: object, called: str) -> Iterator[PIL.Image.Image]:
    if isinstance(image, InputImage):
        yield image.rgb
    elif isinstance(image, PIL.Image.Image):
        yield _converted(image, called)
    elif isinstance(image, np.ndarray):
        if np.ma.is_masked(image):
            raise InputRefused(f"{called} has masked pixels: fill them (array.filled(0)).")
        image = np.asarray(image)
        yield from (_converted(PIL.Image.fromarray(one), called) for one in _of_array(image, called))
    elif isinstance(image, Tensor):
        yield from (_converted(PIL.Image.fromarray(one), called) for one in _of_tensor(image, called))
    else:
        raise InputRefused(f"{called} is of type {type(image).__name__}: give a PIL image or a NumPy array.")


def _converted(image: PIL.Image.Image, called: str) -> PIL.Image.Image:
    if not all(image.size):
        raise InputRefused(f"{called} has no pixels: its size is {image.width} × {image.height}.")
    try:
        return upright_rgb(image)
    except RangeUnknown as unknown:
        raise InputRefused(f"{called} was refused: {unknown}.") from None
    except Exception as error:
        # Files that were opened but not loaded fail here, with errors of many types.
        raise InputRefused(f"{called} cannot be read: {error}") from error


def _of_array(array: Array, called: str) -> Iterator[Array]:
    """Yield the images (H, W) or (H, W, channels) of an array, in types that PIL supports."""
    subject = f"{called}, an array of {array.dtype} {array.shape},"
    single = array.ndim == 2 or (array.ndim == _IMAGE_AXES and array.shape[-1] in _CHANNELS)
    several = array.ndim == _IMAGE_AXES + 1 and array.shape[-1] in _CHANNELS
    first = array.shape[-3] if array.ndim >= _IMAGE_AXES else 0
    if not single and not several:
        raise InputRefused(
            f"{subject} is not (H, W), (H, W, channels) or (N, H, W, channels) with {_MEANINGS} "
            "channels: move its axes (np.moveaxis(array, -3, -1) for channels first), or give a preprocessed image as "
            "a tensor of floats (N, 3, H, W)."
        )
    if first in _CHANNELS:
        raise InputRefused(
            f"{subject} may have its channels first or last: give PIL images (Image.fromarray), or larger images."
        )
    for one in [array] if single else array:
        yield _eight_bit(one[..., 0] if one.ndim == _IMAGE_AXES and one.shape[-1] == 1 else one, subject)


def _eight_bit(array: Array, subject: str) -> Array:
    if array.dtype == np.uint8 or (array.dtype == np.bool_ and array.ndim == 2):
        return np.ascontiguousarray(array)
    if array.dtype.kind == "u" and array.dtype.itemsize == _SIXTEEN_BITS:
        # As Pillow reads 16-bit files: grey is rounded; for colours the high byte is taken.
        wide = array.astype(np.uint16)
        return np.ascontiguousarray(wide if wide.ndim == 2 else (wide >> 8).astype(np.uint8))
    if not np.issubdtype(array.dtype, np.floating):
        raise InputRefused(f"{subject} has numbers of unknown range: make it uint8 of 0–255, uint16 or floats in 0–1.")
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    if not (low >= 0 and high <= 1):
        raise InputRefused(
            f"{subject} has numbers from {low:g} to {high:g}: make it uint8 of 0–255 or floats in 0–1, or give a "
            "preprocessed image as a tensor of floats (N, 3, H, W)."
        )
    return np.rint(array.astype(np.float64) * _TOP).astype(np.uint8)


def _of_tensor(tensor: Tensor, called: str) -> Iterator[Array]:
    """Yield the images (H, W) or (H, W, channels) of a uint8 tensor with its channels first."""
    if tensor.is_nested or tensor.is_meta or tensor.layout is not torch.strided:
        kind = "nested" if tensor.is_nested else "on the meta device" if tensor.is_meta else "sparse"
        raise InputRefused(f"{called} is a tensor that is {kind}: give a dense one, uint8 (channels, H, W).")
    subject = f"{called}, a tensor of {str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)},"
    if tensor.is_floating_point():
        raise InputRefused(
            f"{subject} may be preprocessed or not: give preprocessed images as one tensor (N, 3, H, W) "
            "(torch.stack), others as uint8 (channels, H, W) or as PIL images."
        )
    if tensor.dtype != torch.uint8:
        raise InputRefused(f"{subject} has numbers of unknown range: make it uint8 of 0–255.")
    axes = tensor.ndim
    channels = tensor.shape[-3] if axes >= _IMAGE_AXES else 1
    if axes not in (2, 3, 4) or channels not in _CHANNELS:
        raise InputRefused(
            f"{subject} is not (H, W), (channels, H, W) or (N, channels, H, W) with {_MEANINGS} "
            "channels: move its axes (tensor.movedim(-1, -3) for channels last)."
        )
    if axes > 2 and tensor.shape[-1] in _CHANNELS:
        raise InputRefused(f"{subject} may have its channels first or last: give PIL images, or larger images.")
    host = tensor.cpu()
    for one in host if axes > _IMAGE_AXES else [host]:
        array = one.numpy() if one.ndim == 2 else one.movedim(0, -1).numpy()
        yield np.ascontiguousarray(array[..., 0] if array.ndim == _IMAGE_AXES and array.shape[-1] == 1 else array)
