"""Running a module alone on made-up feature maps, and keeping what its parts were given and gave.

Alone, because a freshly made network may feed a gate nothing but zeros (timm's seresnet starts with U ≡ 0), and
0 = s · 0 proves nothing.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from se_viz.gates.gate import Layout, Tap
from se_viz.gates.trace import REJECTIONS, watched
from se_viz.zoo.memory import is_out_of_memory

# How far X̃ may be from s · U, as a share of the largest |X̃|, by what the network computes in.
_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}

# How strong the maps of each image are that a candidate is shown, and which way its channels go.
_STRENGTHS = (3.0, -3.0, 30.0, -30.0)


@dataclass(slots=True)
class Part:
    """A submodule that ran in a probe: what went into each of its runs and came out of the first, if that is small."""

    module: nn.Module
    inputs: list[Tensor | None] = field(default_factory=list)
    output: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """What went into a candidate and came out, (N, C, H, W) in at least float32, and its parts as they began to run."""

    u: Tensor
    x: Tensor
    parts: dict[str, Part]
    tolerance: float

    def read(self, tap: Tap) -> Tensor | None:
        """What a tap gives, (N, C); None if it gives something else."""
        part = self.parts.get(tap.path)
        if part is None:
            return None
        value = part.inputs[0] if tap.side == "input" else part.output
        return self.descriptor(value, tap)

    def descriptor(self, value: Tensor | None, tap: Tap) -> Tensor | None:
        """A value as (N, C) if it is one number per image and channel, in whatever axes."""
        images, channels = self.u.shape[:2]
        # The longest axis tells (N, C, 1, 1) from the (N, 1, H, W) of a spatial attention with H · W = C.
        if value is None or len(value) != images or (max(1, *value.shape[1:]) != channels and not tap.padded):
            return None
        finished = tap.finish(value, images, channels)
        return finished.to(self.u.dtype) if finished.shape == (images, channels) else None

    def close(self, a: Tensor, b: Tensor) -> bool:
        """Equal in every image to a share ``tolerance`` of its largest value."""
        off, largest = (value.abs().flatten(1).amax(1) for value in (a - b, b))
        return bool((off <= self.tolerance * largest.clamp_min(1e-12)).all())


def run_alone(
    module: nn.Module, shape: torch.Size, weights: tuple[torch.device, torch.dtype], layout: Layout
) -> Probe | None:
    """Probe a candidate; None if it takes no maps, or gives none that are its input times one number per channel."""
    u = _maps(shape, layout).to(*weights)
    paths = {part: path for path, part in module.named_modules() if path}
    parts: dict[str, Part] = {}
    # Neither z nor s is larger than C numbers an image and what is padded to them.
    largest = 2 * len(_STRENGTHS) * shape[1 if layout == "nchw" else -1]

    def copy(value: object) -> Tensor | None:
        if isinstance(value, Tensor) and value.is_floating_point() and value.ndim and value.numel() <= largest:
            return value.clone()
        return None

    def before(part: nn.Module, value: object) -> None:
        parts.setdefault(paths[part], Part(part)).inputs.append(copy(value))

    def after(part: nn.Module, value: object) -> None:
        known = parts[paths[part]]
        if known.output is None:
            known.output = copy(value)

    try:
        with watched(paths, before, after), torch.inference_mode():
            x = module(u.clone())
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
    probe = Probe(u, x, parts, _TOLERANCE.get(weights[1], 1e-5))
    scale = (u * x).sum((2, 3), keepdim=True) / u.square().sum((2, 3), keepdim=True)
    return probe if probe.close(x, scale * u) else None


def _maps(shape: torch.Size, layout: Layout) -> Tensor:
    """Images of ``shape``'s channels and size that show a gate as it is.

    The channels differ in strength, and what an image raises the next one lowers: else all may leave the same units of
    a bottleneck at zero, and s the same. The strong ones are there to overcome biases, the weak ones not to saturate.
    Values of both signs occur, or a gate that rectifies its input would pass for one that does not.
    """
    generator = torch.Generator().manual_seed(0)
    channels = shape[1 if layout == "nchw" else -1]
    u = torch.rand((len(_STRENGTHS), *shape[1:]), generator=generator) + 0.1
    towards = torch.randint(2, (channels,), generator=generator) * 2 - 1
    strength = (
        torch.tensor(_STRENGTHS)[:, None] * towards * (torch.rand(len(_STRENGTHS), channels, generator=generator) + 0.1)
    )
    return u * (strength[:, :, None, None] if layout == "nchw" else strength[:, None, None, :])
