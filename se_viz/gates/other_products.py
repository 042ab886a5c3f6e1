"""Multiplications of maps by numbers from the images that are not one factor per channel of maps (N, C, H, W)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from se_viz.gates.channel_products import close, factor_of, is_alike, is_plain, may_multiply
from se_viz.gates.values import Value

AXES = "its maps do not have the four axes (N, C, H, W)"
FIVE_AXES = (
    "its maps have five axes, and its factor has one number for each image and index of the second axis: a choice "
    "between branches or groups of channels, or a gate of volumes, which have no maps (N, C, H, W)"
)
PER_IMAGE = "its factor is one number for each image, the same in all channels"
PER_BATCH = "its factor is the same for all images of a batch, so that no s belongs to an image"
PER_BRANCH = "it adds up maps with one weight for each image and branch, which is not a factor per channel of one map"
SUMMED = (
    "its code multiplies maps by one factor per channel of each branch and adds them up in one call, which is not read"
)
ALIKE = "its maps are the same in all channels, as those of a spatial attention"
SHARED = "its maps are the same for all images"


def other_product(
    function: Callable[..., Any], inputs: Sequence[Tensor], values: Sequence[Value | None], output: Tensor, images: int
) -> str:
    """Return why a call that multiplied maps by numbers computed from the images is no gate, or "".

    Args:
        function: the called function.
        inputs: the tensors that it took, as they were before the call.
        values: what is known of each of them; None if the pass has not computed it from its images.
        output: the tensor that it returned.
        images: N, the number of images in the pass.
    """
    if not output.is_floating_point() or output.ndim < 3:
        return ""
    for maps, of_maps in zip(inputs, values, strict=True):
        for factor, of_factor in zip(inputs, values, strict=True):
            if factor is maps or of_factor is None or not factor.is_floating_point() or not maps.is_floating_point():
                continue
            reason = ""
            if may_multiply(function) and _fits(maps, output):
                shared = of_maps is None or len(maps) == 1 < images
                reason = _of_one(maps.expand(output.shape), factor, images, shared=shared)
            if not (reason or is_plain(function)) and of_maps is not None:
                reason = _of_several(maps, factor, output, images)
            if reason:
                return reason
    return ""


def _of_one(maps: Tensor, factor: Tensor, images: int, *, shared: bool) -> str:
    """Return what kind of numbers multiplies all numbers of maps (N, …), or ""; ``shared`` by all images."""
    axes = _axes(factor, maps.shape)
    if axes is None or maps.shape[2:].numel() <= 1:
        return ""
    if shared:
        return SHARED if axes == [0, 1] and len(maps) == images else ""
    if axes == [0] and len(maps) == images and maps.shape[1] > 1:
        return PER_IMAGE
    if axes == [1] and maps.ndim == 4 and len(maps) == images > 1:
        return PER_BATCH
    if axes == [0, 1] and maps.ndim == 4 and len(maps) == images and is_alike(maps):
        return ALIKE
    if axes == [0, 1] and maps.ndim == 5:
        return FIVE_AXES
    if axes in ([0, 1], [0, 2]) and maps.ndim == 3:
        return AXES
    # Branches or groups of channels, before or behind the images.
    leading = axes == list(range(len(axes))) and len(axes) > 1 and images in maps.shape[: len(axes)]
    if maps.ndim > 4 and (leading or (axes == [0, 2] and len(maps) == images)):
        return AXES
    return AXES if any(factor_of(f, m.shape, "nchw") is not None for m, f in _ordered(maps, factor, images)) else ""


def _axes(factor: Tensor, shape: torch.Size) -> list[int] | None:
    """Return the axes of maps along which a factor differs; None if it does not fit."""
    try:
        wide = factor.expand(shape)
    except RuntimeError:
        return None
    axes = [axis for axis in range(len(shape)) if shape[axis] > 1 and wide.stride(axis) != 0]
    if factor.shape != shape:
        return axes
    # A function of a factor that was expanded before, which has as many numbers as the maps.
    return [axis for axis in axes if not bool((wide.amax(axis) == wide.amin(axis)).all())]


def _ordered(maps: Tensor, factor: Tensor, images: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield maps of four axes that are a view of (N, C, H, W) with other axes in front, and their factor, as that."""
    if maps.ndim != 4 or len(maps) == images:
        return
    order = sorted(range(4), key=lambda axis: -maps.stride()[axis])
    shown = maps.permute(order)
    if len(shown) == images and shown.shape[1] > 1 and shown.shape[2:].numel() > 1:
        yield shown, factor.expand(maps.shape).permute(order)


def _of_several(maps: Tensor, factor: Tensor, output: Tensor, images: int) -> str:
    """Return what kind of numbers sₖ a call multiplied K maps by, if it returned Σ sₖ · Uₖ (N, …); otherwise ""."""
    if output.shape[:1] != (images,) or factor.numel() >= min(maps.numel(), output.numel()):
        return ""
    branches, rest = divmod(maps.numel(), output.numel())
    per_branch, not_whole = divmod(factor.numel(), images * max(1, branches))
    # One map times one factor per channel is looked for elsewhere.
    if rest or not_whole or not (per_branch == 1 or (per_branch == output.shape[1] and branches > 1)):
        return ""
    shape = (images, branches, per_branch, -1)
    result = output.reshape(images, per_branch, -1)
    for one in _branches_second(maps, images, branches):
        for weight in _branches_second(factor, images, branches):
            if close(result, (one.reshape(shape) * weight.reshape(shape)).sum(1)):
                return SUMMED if per_branch > 1 else PER_BRANCH if branches > 1 else PER_IMAGE
    return ""


def _branches_second(tensor: Tensor, images: int, branches: int) -> Iterator[Tensor]:
    """Yield a tensor with the images in its first axis and K branches in the second, for each axis of this length."""
    if branches == 1 and tensor.shape[0] == images:
        yield tensor
    for axis in range(tensor.ndim):
        if branches > 1 and tensor.shape[axis] == branches and tensor.ndim > 1:
            moved = tensor.movedim(axis, 1)
            if moved.shape[0] == images:
                yield moved


def _fits(maps: Tensor, output: Tensor) -> bool:
    """Return whether maps have the shape of a result, or one image or one channel where it has several."""
    if maps.shape == output.shape:
        return True
    if maps.ndim != 4 or output.ndim != 4 or maps.shape[2:] != output.shape[2:]:
        return False
    return all(length in (1, whole) for length, whole in zip(maps.shape[:2], output.shape[:2], strict=True))
