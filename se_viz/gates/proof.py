"""Proving that a module is a channel gate, from what a probe shows of it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from se_viz.gates.gate import FUNCTIONS, Layout, Tap
from se_viz.gates.kinds import Kind
from se_viz.gates.probe import Probe, run_alone
from se_viz.gates.trace import REJECTIONS


@dataclass(frozen=True, slots=True)
class Proof:
    """What a probe showed of a gate; the fields are those of ``Gate``."""

    channels: int
    bottleneck: int | None
    squeeze: str
    function: str
    z_tap: Tap
    s_tap: Tap
    layout: Layout


def prove(
    module: nn.Module, shape: torch.Size, weights: tuple[torch.device, torch.dtype], kind: Kind | None, *, dead: bool
) -> Proof | None:
    """Run ``module`` on made-up maps of ``shape``'s channels and size, and return what it is, or None if no gate.

    A gate passes when a value read inside it is s with X̃ = s · U on every pixel and, unless it may be dead, s differs
    between images.

    Args:
        module: the candidate, in eval mode.
        shape: of its input in the network, (N, C, H, W), or (N, H, W, C) for a kind of that layout.
        weights: device and type of the network's weights.
        kind: where z and s are kept, for a known class; a class that breaks its own promise is searched.
        dead: whether an s that no image changes passes. Of an unknown class it would be a frozen scale and no gate.
    """
    probe = run_alone(module, shape, weights, kind.layout if kind else "nchw")
    if probe is None:
        return None
    s_tap = _find_s(probe, kind)
    z_tap = _find_z(probe, kind)
    if s_tap is None or z_tap is None:
        return None
    if not dead and not _varies(probe.read(s_tap), weights[1]):
        return None
    return Proof(
        channels=probe.u.shape[1],
        bottleneck=_bottleneck(probe),
        squeeze=_squeezes(probe, z_tap),
        function=_function(probe, s_tap),
        z_tap=z_tap,
        s_tap=s_tap,
        layout=kind.layout if kind else "nchw",
    )


def _find_s(probe: Probe, kind: Kind | None) -> Tap | None:
    """The tap whose value makes X̃ = s · U: the known one, else the last that fits, only then one behind a function.

    Of several that show the same value, the gate function itself is taken, not a wrapper or a dropout around it.
    """
    paths = list(reversed(probe.parts))
    shown = [kind.s] if kind else []
    shown += [Tap(path, "output") for path in paths]
    fits = [tap for tap in shown if _is_s(probe, tap)]
    if fits:
        return next((tap for tap in fits if _function(probe, tap) != "other"), fits[0])
    applied = (Tap(path, "output", name) for path in paths for name in FUNCTIONS)
    return next((tap for tap in applied if _is_s(probe, tap)), None)


def _is_s(probe: Probe, tap: Tap) -> bool:
    s = probe.read(tap)
    return s is not None and probe.close(s[:, :, None, None] * probe.u, probe.x)


def _find_z(probe: Probe, kind: Kind | None) -> Tap | None:
    """The known tap, else what goes into the first layer with weights, else any value of that size; a squeeze of U."""
    taps = [kind.z] if kind else []
    for path, part in probe.parts.items():
        if next(part.module.parameters(recurse=False), None) is not None:
            taps.append(Tap(path, "input"))
    taps += [Tap(path, "output") for path in probe.parts]
    taps = [tap for tap in taps if probe.read(tap) is not None]
    return next((tap for tap in taps if _squeeze(probe, probe.read(tap)) != "other"), taps[0] if taps else None)


def _varies(s: Tensor | None, dtype: torch.dtype) -> bool:
    """Whether s differs between the images by more than rounding."""
    return s is not None and bool((s.amax(0) - s.amin(0)).max() > 4 * torch.finfo(dtype).eps * s.abs().max())


def _squeezes(probe: Probe, tap: Tap) -> str:
    """The squeeze operators of all values that go where z goes, in order."""
    values = probe.parts[tap.path].inputs if tap.side == "input" else [probe.parts[tap.path].output]
    return ", ".join(dict.fromkeys(_squeeze(probe, probe.descriptor(value, tap)) for value in values))


def _squeeze(probe: Probe, z: Tensor | None) -> str:
    mean, peak = probe.u.mean((2, 3)), probe.u.amax((2, 3))
    named = {"avg": mean, "max": peak, "avg+max": (mean + peak) / 2}
    return next((name for name, value in named.items() if z is not None and probe.close(z, value)), "other")


def _function(probe: Probe, s_tap: Tap) -> str:
    """The gate function at a tap, recognised by what it makes of the numbers from -8 to 8."""
    if s_tap.function:
        return s_tap.function
    part = probe.parts[s_tap.path]
    like = part.inputs[0]
    if like is None:
        return "other"
    ramp = torch.linspace(-8, 8, like.numel()).to(like).reshape(like.shape)
    try:
        with torch.inference_mode():
            out = part.module(ramp.clone())
    except REJECTIONS:
        return "other"  # It takes more than one argument.
    for name, function in FUNCTIONS.items():
        expected = function(ramp)
        if out.shape == expected.shape and probe.close(out.to(probe.u.dtype), expected.to(probe.u.dtype)):
            return name
    return "other"


def _bottleneck(probe: Probe) -> int | None:
    """Width that the first of two or more FC layers puts out."""
    widths = []
    for part in probe.parts.values():
        layer, value = part.module, part.inputs[0]
        if isinstance(layer, nn.Linear):
            into, out = layer.in_features, layer.out_features
        elif isinstance(layer, nn.Conv2d):
            into, out = layer.in_channels, layer.out_channels
        else:
            continue
        # A convolution over the maps (as of global context's attention) is no FC layer.
        if value is not None and value.numel() == len(probe.u) * into:
            widths.append(out)
    return widths[0] if len(widths) > 1 else None
