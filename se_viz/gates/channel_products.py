"""Multiplications of feature maps by one factor per channel, X̃ = s · U, among the calls of torch functions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from se_viz.gates.gate import Layout

# Largest difference between X̃ and s · U, relative to the largest |X̃| of an image.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}

# Functions by name, in all forms in which they can be called. A multiplication is a product even if U is zero.
_MULTIPLICATIONS = frozenset({"mul", "multiply"})
_DIVISIONS = frozenset({"div", "divide", "true_divide"})
WITH_ADDITION = frozenset({"addcmul"})
_OTHERS = frozenset({"einsum"})
# Functions of lists of tensors, of which each is multiplied.
_OF_SEVERAL = frozenset({"_foreach_mul", "_foreach_div", "_foreach_addcmul", "_foreach_addcdiv", "_foreach_lerp"})
# Functions of one tensor, in which maps and a factor may be held together.
_MIXING = frozenset({"exp", "exp2", "prod"})
_CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d"})


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A call that multiplied maps by one factor per channel.

    Attributes:
        u, s: positions of the maps and of the factor among the tensors that the call took.
        layout: order of the maps' axes.
        shape: shape of the maps.
        factor: s (N, C).
        whole: whether N is the number of images; otherwise the maps belong to parts of images, or to some of the
            images.
        divides: whether the call divides the maps by the tensor it took, so that s is the reciprocal of that tensor.
        large: whether the factor was given at the size of the maps, with one number in all pixels of a channel.
    """

    u: int
    s: int
    layout: Layout
    shape: torch.Size
    factor: Tensor
    whole: bool
    divides: bool = False
    large: bool = False

    @property
    def channels(self) -> int:
        """The number of channels, C."""
        return self.factor.shape[1]

    def varies(self) -> bool:
        """Return whether s differs between the images by more than rounding."""
        s = self.factor
        eps = torch.finfo(s.dtype).eps
        return bool((s.amax(0) - s.amin(0)).max() > 4 * eps * s.abs().max())


def name_of(function: Callable[..., Any]) -> str:
    """Return the plain name of a torch function: "mul" for ``torch.mul``, ``Tensor.mul_`` and ``*=``."""
    name = str(getattr(function, "__name__", ""))
    if name.startswith("__"):
        name = name.strip("_").removeprefix("i")
    return name.partition(".")[0].rstrip("_")


def may_multiply(function: Callable[..., Any]) -> bool:
    """Return whether a torch function can multiply maps by a factor of the maps' shape or a smaller one."""
    return name_of(function) in _MULTIPLICATIONS | _DIVISIONS | WITH_ADDITION | _OTHERS | _OF_SEVERAL


def of_several(function: Callable[..., Any]) -> bool:
    """Return whether a function multiplies several tensors at once, which is not read."""
    return name_of(function) in _OF_SEVERAL


def mixes(function: Callable[..., Any]) -> bool:
    """Return whether the one tensor that a function takes may hold maps and factor: log U + log s, or both stacked."""
    return name_of(function) in _MIXING


def is_convolution(function: Callable[..., Any]) -> bool:
    """Return whether a function convolves its first argument with its second one."""
    return name_of(function) in _CONVOLUTIONS


def is_plain(function: Callable[..., Any]) -> bool:
    """Return whether a function only multiplies or divides, so that ``find_product`` accounts for all of it."""
    return name_of(function) in _MULTIPLICATIONS | _DIVISIONS


def is_multiplication(function: Callable[..., Any]) -> bool:
    """Return whether a function that multiplies maps by a factor returns X̃ itself."""
    return name_of(function) not in WITH_ADDITION


def overwrites(function: Callable[..., Any]) -> bool:
    """Return whether a function may overwrite its input with its result."""
    name = str(getattr(function, "__name__", ""))
    return name.partition(".")[0].endswith("_")


def find_product(function: Callable[..., Any], taken: Sequence[Tensor], made: Tensor, images: int) -> Product | None:
    """Return the product that a call computed, or None.

    Args:
        function: the called function.
        taken: the tensors that it took, as they were before the call.
        made: the tensor that it returned.
        images: N, the number of images in the pass.
    """
    for u, s, layout in _candidates(taken, made):
        maps = taken[u]
        factor = factor_of(taken[s], maps.shape, layout)
        if factor is None:
            continue
        called = name_of(function)
        wide = factor[:, :, None, None] if layout == "nchw" else factor[:, None, None, :]
        expected = maps / wide if called in _DIVISIONS and s > u else maps * wide
        result = made
        if called in WITH_ADDITION:
            result = made - taken[0]
        zero = not bool(maps.any())
        known = called in _MULTIPLICATIONS or called in WITH_ADDITION
        if factor.shape[1] > 1 and bool((factor == factor[:, :1]).all()) and not bool((factor == factor[:1]).all()):
            continue  # one number per image, repeated
        # An attention over the pixels has the size of maps and is the same in all channels.
        alike = not zero and bool((maps.amax(axis := 1 if layout == "nchw" else 3) == maps.amin(axis)).all())
        if (known or not zero) and not alike and close(result, expected):
            divides = called in _DIVISIONS
            factor = 1 / factor if divides else factor.clone()
            return Product(
                u=u,
                s=s,
                layout=layout,
                shape=maps.shape,
                factor=factor.detach(),
                whole=len(maps) == images,
                divides=divides,
                large=taken[s].untyped_storage().nbytes() >= maps.numel() * maps.itemsize,
            )
    return None


def _candidates(taken: Sequence[Tensor], made: Tensor) -> Iterator[tuple[int, int, Layout]]:
    for u, maps in enumerate(taken):
        if maps.ndim != 4 or not maps.is_floating_point() or made.shape != maps.shape:
            continue
        for s, factor in enumerate(taken):
            if s == u or factor is maps or not factor.is_floating_point() or factor.ndim > 4:
                continue
            if maps.shape[1] > 1 and maps.shape[2] * maps.shape[3] > 1:
                yield u, s, "nchw"
            if maps.shape[3] > 1 and maps.shape[1] * maps.shape[2] > 1:
                yield u, s, "nhwc"


def has_other_axes(taken: Sequence[Tensor], made: Tensor) -> bool:
    """Return whether a call multiplied maps by one factor per channel where the maps have three or five axes.

    An example is (N, C, H · W).
    """
    for maps in taken:
        if maps.ndim not in (3, 5) or maps.shape != made.shape or maps.shape[2:].numel() == 1 or maps.shape[1] == 1:
            continue
        pixels = tuple(range(2 if maps.ndim == 3 else 3, maps.ndim))
        for factor in taken:
            if factor is maps or factor.ndim != maps.ndim or factor.shape == maps.shape:
                continue
            if factor.shape[: pixels[0]] == maps.shape[: pixels[0]] and factor.shape[pixels[0] :].numel() == 1:
                return True
    return False


def is_scaled(made: Tensor, maps: Tensor) -> bool:
    """Return whether maps (N, C, …) equal other maps times a factor that differs between images and channels.

    This recognises a gate by its effect, however the product was computed.
    """
    if made.shape != maps.shape or maps.ndim not in (3, 4) or not (made.is_floating_point() and len(maps) > 1):
        return False
    u, x = maps.flatten(2), made.flatten(2)
    if u.shape[2] == 1 or u.shape[1] == 1:
        return False
    at = u.abs().argmax(2, keepdim=True)
    largest = u.gather(2, at)
    factor = torch.where(largest == 0, 0, x.gather(2, at) / largest)
    # Relative to the largest number of each channel: an addition to a channel that is nearly zero is not a factor.
    allowed = _TOLERANCE.get(made.dtype, 1e-5) * x.abs().amax(2, keepdim=True)

    def fits(pixels: int) -> bool:
        return bool(((x[:, :, :pixels] - factor * u[:, :, :pixels]).abs() <= allowed).all())

    if not fits(2):  # nearly all calls end here
        return False
    # The factor of a channel that is zero throughout is unknown.
    known = factor[:, (largest != 0).all(0)[:, 0]]
    if known.shape[1] < 2 or not bool(known.isfinite().all()):
        return False
    off = 1e-4 * known.abs().amax()
    differs = [bool((known.amax(axis) - known.amin(axis)).amax() > off) for axis in (0, 1)]
    return all(differs) and fits(u.shape[2])


def factor_of(factor: Tensor, shape: torch.Size, layout: Layout) -> Tensor | None:
    """Return a factor as (N, C), or None if it is not one number per image and channel for maps of this shape.

    The factor may be broadcast or expanded (N, C, 1, 1), or as large as the maps with the same number in all pixels.
    """
    images, channels = shape[0], shape[1 if layout == "nchw" else 3]
    if factor.shape == (images, channels):
        # Not broadcast: the result of the call that takes it (an einsum, a grouped convolution) shows what it is.
        return factor if layout == "nchw" or factor.shape != shape[2:] else None
    try:
        wide = factor.expand(shape)
    except RuntimeError:
        flat = factor.numel() == images * channels and factor.shape[0] == images * channels
        return factor.reshape(images, channels) if flat else None
    channel_axis, pixels = (1, (2, 3)) if layout == "nchw" else (3, (1, 2))
    spread = [axis for axis in range(4) if wide.stride(axis) == 0 and shape[axis] > 1]
    if 0 in spread or channel_axis in spread:
        return None
    rest = [axis for axis in pixels if axis not in spread and shape[axis] > 1]
    if rest and not bool((wide.amax(rest, keepdim=True) == wide.amin(rest, keepdim=True)).all()):
        return None
    return wide[:, :, 0, 0] if layout == "nchw" else wide[:, 0, 0, :]


def close(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors (N, …) are equal in every image, to a tolerance relative to its largest number."""
    tolerance = _TOLERANCE.get(b.dtype, 1e-5)
    off, largest = (value.abs().flatten(1).amax(1) for value in (a - b, b))
    return bool((off <= tolerance * largest.clamp_min(1e-12)).all())
