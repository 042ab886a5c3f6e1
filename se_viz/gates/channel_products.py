"""Multiplications of feature maps by one factor per channel, X̃ = s · U, among the calls of torch functions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload, OpOverloadPacket

from se_viz.gates.gate import Layout

# Largest difference between X̃ and s · U, relative to the largest |X̃| of an image.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}

# Functions by name, in all forms in which they can be called. A multiplication is a product even if U is zero.
_MULTIPLICATIONS = frozenset({"mul", "multiply"})
_DIVISIONS = frozenset({"div", "divide", "true_divide", "addcdiv"})
WITH_ADDITION = frozenset({"addcmul", "addcdiv"})
_OTHERS = frozenset({"einsum"})
# Functions that add their first argument to a product of others.
_ADDING = WITH_ADDITION | {"addmm", "addbmm", "baddbmm", "lerp"}
# Start of the names of functions of lists of tensors, each of which is treated alike.
_OF_SEVERAL = "_foreach_"
# Functions of one tensor, in which maps and a factor may be held together.
_MIXING = frozenset({"exp", "exp2", "prod"})
_CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"})
_NORMALISATIONS = frozenset({"batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"})
_REORDERING = frozenset({"getitem", "index_select", "flip", "flipud", "roll", "gather", "take_along_dim", "index"})


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
        item: position of X̃ among the tensors that the call returns.
    """

    u: int
    s: int
    layout: Layout
    shape: torch.Size
    factor: Tensor
    whole: bool
    divides: bool = False
    large: bool = False
    item: int = 0

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
    """Return the plain name of a torch function: "mul" for ``Tensor.mul_``, ``*=`` and ``torch._foreach_mul``."""
    name = str(getattr(function, "__name__", ""))
    if name.startswith("__"):
        name = name.strip("_").removeprefix("i")
    return name.partition(".")[0].rstrip("_").removeprefix(_OF_SEVERAL)


def may_multiply(function: Callable[..., Any]) -> bool:
    """Return whether a torch function can multiply maps by a factor of the maps' shape or a smaller one."""
    return name_of(function) in _MULTIPLICATIONS | _DIVISIONS | WITH_ADDITION | _OTHERS


def of_several(function: Callable[..., Any]) -> bool:
    """Return whether a function does the same with each tensor of a list."""
    return str(getattr(function, "__name__", "")).startswith(_OF_SEVERAL)


def mixes(function: Callable[..., Any]) -> bool:
    """Return whether the one tensor that a function takes may hold maps and factor: log U + log s, or both stacked."""
    return name_of(function) in _MIXING


def is_convolution(function: Callable[..., Any]) -> bool:
    """Return whether a function convolves its first argument with its second one."""
    return name_of(function) in _CONVOLUTIONS


def is_normalisation(function: Callable[..., Any]) -> bool:
    """Return whether a function normalises its first argument, and may multiply the result by its ``weight``."""
    return name_of(function) in _NORMALISATIONS


def may_reorder(function: Callable[..., Any]) -> bool:
    """Return whether a function may return the parts of its first argument in another order."""
    return name_of(function) in _REORDERING


def is_plain(function: Callable[..., Any]) -> bool:
    """Return whether a function only multiplies or divides, so that ``find_product`` accounts for all of it."""
    return name_of(function) in (_MULTIPLICATIONS | _DIVISIONS) - WITH_ADDITION


def is_multiplication(function: Callable[..., Any]) -> bool:
    """Return whether a function that multiplies maps by a factor returns X̃ itself."""
    return name_of(function) not in WITH_ADDITION


def adds_first(function: Callable[..., Any]) -> bool:
    """Return whether a function adds its first argument to what it computes from the others."""
    return name_of(function) in _ADDING


def overwrites(function: Callable[..., Any]) -> bool:
    """Return whether a function may overwrite its input with its result."""
    if isinstance(function, OpOverloadPacket):
        return any(overwrites(getattr(function, form)) for form in function.overloads())
    if isinstance(function, OpOverload):
        return function._schema.is_mutable
    name = str(getattr(function, "__name__", ""))
    if name.startswith("__"):
        return name.startswith("__i") or name == "__setitem__"
    return name.partition(".")[0].endswith("_")


def find_product(function: Callable[..., Any], inputs: Sequence[Tensor], output: Tensor, images: int) -> Product | None:
    """Return the product that a call computed, or None.

    Args:
        function: the called function.
        inputs: the tensors that it took, as they were before the call.
        output: the tensor that it returned.
        images: N, the number of images in the pass.
    """
    called = name_of(function)
    for u, s, layout in _candidates(inputs, output):
        maps = inputs[u]
        factor = factor_of(inputs[s], maps.shape, layout)
        if factor is None:
            continue
        wide = factor[:, :, None, None] if layout == "nchw" else factor[:, None, None, :]
        expected = maps / wide if called in _DIVISIONS and s > u else maps * wide
        result = output
        if called in WITH_ADDITION:
            result = output - inputs[0]
        zero = not bool(maps.any())
        known = called in _MULTIPLICATIONS or called in WITH_ADDITION
        if factor.shape[1] > 1 and bool((factor == factor[:, :1]).all()) and not bool((factor == factor[:1]).all()):
            continue  # one number per image, repeated
        if (known or not zero) and not (not zero and is_alike(maps, layout)) and close(result, expected):
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
                large=inputs[s].untyped_storage().nbytes() >= maps.numel() * maps.itemsize,
            )
    return None


def _candidates(inputs: Sequence[Tensor], output: Tensor) -> Iterator[tuple[int, int, Layout]]:
    for u, maps in enumerate(inputs):
        if maps.ndim != 4 or not maps.is_floating_point() or output.shape != maps.shape:
            continue
        for s, factor in enumerate(inputs):
            if s == u or factor is maps or not factor.is_floating_point() or factor.ndim > 4:
                continue
            if maps.shape[1] > 1 and maps.shape[2] * maps.shape[3] > 1:
                yield u, s, "nchw"
            if maps.shape[3] > 1 and maps.shape[1] * maps.shape[2] > 1:
                yield u, s, "nhwc"


def is_alike(maps: Tensor, layout: Layout = "nchw") -> bool:
    """Return whether maps are the same in all channels, as a spatial attention of the size of maps is."""
    channels = 1 if layout == "nchw" else 3
    return bool((maps.amax(channels) == maps.amin(channels)).all())


def is_scaled(output: Tensor, maps: Tensor) -> bool:
    """Return whether maps (N, C, …) equal other maps times a factor that differs between images and channels.

    This recognises a gate by its effect, however the product was computed.
    """
    if output.shape != maps.shape or maps.ndim not in (3, 4) or not (output.is_floating_point() and len(maps) > 1):
        return False
    u, x = maps.flatten(2), output.flatten(2)
    if u.shape[2] == 1 or u.shape[1] == 1:
        return False
    at = u.abs().argmax(2, keepdim=True)
    largest = u.gather(2, at)
    factor = torch.where(largest == 0, 0, x.gather(2, at) / largest)
    # Relative to the largest number of each channel: an addition to a channel that is nearly zero is not a factor.
    allowed = _TOLERANCE.get(output.dtype, 1e-5) * x.abs().amax(2, keepdim=True)

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
