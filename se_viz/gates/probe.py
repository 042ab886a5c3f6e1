"""A run of a single module on synthetic feature maps that records the inputs and outputs of its parts.

The module runs alone because a freshly made network may feed a gate only zeros (timm's seresnet starts with U ≡ 0), and
0 = s · 0 shows nothing.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from se_viz.device.memory import is_out_of_memory
from se_viz.gates.call_graph import CallGraph
from se_viz.gates.findings import Event
from se_viz.gates.gate import Layout, TapPoint
from se_viz.gates.refusals import REJECTIONS
from se_viz.gates.trace import watched
from se_viz.gates.values import Clock

# Largest difference between X̃ and s · U, relative to the largest |X̃|, by the type the network computes in.
_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}

# A gate that gets maps of one pixel in the network is probed with larger ones, because otherwise z could not be told
# from U. A gate that gets large maps is first probed with smaller ones, which takes less time.
_LEAST, _ENOUGH = 7, 14

# Strength and sign of the maps of each image with which a candidate is probed.
_STRENGTHS = (3.0, -3.0, 30.0, -30.0)


@dataclass(slots=True)
class SubmoduleRecord:
    """A submodule that ran in a probe, with the input of each run and the output of the first, if these are small."""

    module: nn.Module
    inputs: list[Tensor | None] = field(default_factory=list)
    output: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of a probe of one candidate.

    Attributes:
        u, x: its input and output, (N, C, H, W) in float32 or more.
        parts: its submodules by path, in the order in which they began to run.
        tolerance: largest relative difference at which values count as equal.
        events: the multiplications of maps by one factor per channel that torch functions made.
    """

    u: Tensor
    x: Tensor
    parts: dict[str, SubmoduleRecord]
    tolerance: float
    events: tuple[Event, ...] = ()

    def read(self, tap: TapPoint) -> Tensor | None:
        """Return the value at a tap as (N, C); None if it has another size."""
        part = self.parts.get(tap.path)
        if part is None:
            return None
        value = part.inputs[0] if tap.side == "input" else part.output
        return self.descriptor(value, tap)

    def descriptor(self, value: Tensor | None, tap: TapPoint) -> Tensor | None:
        """Return a value as (N, C) if it has one number per image and channel, with any axes; otherwise None."""
        images, channels = self.u.shape[:2]
        # The longest axis distinguishes (N, C, 1, 1) from the (N, 1, H, W) of a spatial attention with H · W = C.
        if value is None or len(value) != images or (max(1, *value.shape[1:]) != channels and not tap.padded):
            return None
        finished = tap.finish(value, images, channels)
        return finished.to(self.u.dtype) if finished.shape == (images, channels) else None

    def close(self, a: Tensor, b: Tensor) -> bool:
        """Return whether two tensors are equal in every image, to ``tolerance`` relative to its largest value."""
        off, largest = (value.abs().flatten(1).amax(1) for value in (a - b, b))
        return bool((off <= self.tolerance * largest.clamp_min(1e-12)).all())


def probe_module(
    module: nn.Module, shape: torch.Size, weights: tuple[torch.device, torch.dtype], layout: Layout
) -> Probe | None:
    """Return the probe of a candidate; None if it rejects maps, or does not return U times one number per channel."""
    height, width = shape[2:] if layout == "nchw" else shape[1:3]
    if height * width == 1:
        return _run(module, shape, (_LEAST, _LEAST), weights, layout)
    fewer = min(height, _ENOUGH), min(width, _ENOUGH)
    probe = _run(module, shape, fewer, weights, layout)
    # Some modules take maps of one size only.
    return (
        _run(module, shape, (height, width), weights, layout) if probe is None and fewer != (height, width) else probe
    )


def living_channels(module: nn.Module, shape: torch.Size | None, weights: tuple[torch.device, torch.dtype]) -> set[int]:
    """Run a module alone on strong maps, and return the numbers of channels of the factors that differ between images.

    The factors are those by which the module multiplies maps, one number per channel. If all units of a bottleneck are
    below zero for both images of noise, s looks constant there although it depends on the image.
    """
    if shape is None or len(shape) != 4:
        return set()
    u = _maps(shape, (shape[2], shape[3]), "nchw").to(*weights)
    graph = CallGraph(u, {}, Clock())
    try:
        with torch.no_grad(), graph:
            module(u)
    except REJECTIONS as error:
        if is_out_of_memory(error):
            raise
    return {event.product.channels for event in graph.found.events if event.product.varies()}


def _run(
    module: nn.Module,
    shape: torch.Size,
    sides: tuple[int, int],
    weights: tuple[torch.device, torch.dtype],
    layout: Layout,
) -> Probe | None:
    u = _maps(shape, sides, layout).to(*weights)
    given = u.clone()
    graph = CallGraph(given, {id(parameter): name for name, parameter in module.named_parameters()}, Clock())
    paths = {part: path for path, part in module.named_modules() if path}
    parts: dict[str, SubmoduleRecord] = {}
    # Neither z nor s is larger than C numbers per image plus padding.
    largest = 2 * len(_STRENGTHS) * shape[1 if layout == "nchw" else -1]

    def copy(value: object) -> Tensor | None:
        if isinstance(value, Tensor) and value.is_floating_point() and value.ndim and value.numel() <= largest:
            return value.clone()
        return None

    def before(part: nn.Module, value: object) -> None:
        with torch._C.DisableTorchFunction():
            parts.setdefault(paths[part], SubmoduleRecord(part)).inputs.append(copy(value))

    def after(part: nn.Module, value: object) -> None:
        with torch._C.DisableTorchFunction():
            known = parts[paths[part]]
            if known.output is None:
                known.output = copy(value)

    try:
        with watched(paths, before, after), torch.no_grad(), graph:
            x = module(given)
    except REJECTIONS as error:
        if is_out_of_memory(error):
            raise
        return None
    if not isinstance(x, Tensor) or x.shape != u.shape:
        return None
    exact = torch.promote_types(weights[1], torch.float32)
    u, x = u.to(exact), x.to(exact)
    if layout == "nhwc":
        u, x = u.movedim(-1, 1), x.movedim(-1, 1)
    probe = Probe(u, x, parts, _TOLERANCE.get(weights[1], 1e-5), tuple(graph.found.events))
    scale = (u * x).sum((2, 3), keepdim=True) / u.square().sum((2, 3), keepdim=True)
    return probe if probe.close(x, scale * u) else None


def _maps(shape: torch.Size, sides: tuple[int, int], layout: Layout) -> Tensor:
    """Return maps with the channels of ``shape`` and the given height and width on which a gate shows its effect.

    The channels differ in strength, and each image has the opposite signs of the one before; otherwise all images could
    leave the same units of a bottleneck at zero and give the same s. The strong images overcome biases, the weak ones
    avoid saturation. Values of both signs occur, because otherwise a gate that rectifies its input could not be told
    from one that does not.
    """
    generator = torch.Generator().manual_seed(0)
    channels = shape[1 if layout == "nchw" else -1]
    axes = (channels, *sides) if layout == "nchw" else (*sides, channels)
    u = torch.rand((len(_STRENGTHS), *axes), generator=generator) + 0.1
    towards = torch.randint(2, (channels,), generator=generator) * 2 - 1
    strength = (
        torch.tensor(_STRENGTHS)[:, None] * towards * (torch.rand(len(_STRENGTHS), channels, generator=generator) + 0.1)
    )
    return u * (strength[:, :, None, None] if layout == "nchw" else strength[:, None, None, :])
