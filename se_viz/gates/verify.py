"""Verification that a module is a channel gate, from the result of a probe."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from se_viz.gates.excitation import identify_squeeze
from se_viz.gates.findings import Event
from se_viz.gates.gate import Layout, TapPoint
from se_viz.gates.gate_functions import GATE_FUNCTIONS, SOFTMAX, softmax_over_channels
from se_viz.gates.known_gates import KnownGate
from se_viz.gates.probe import Probe, probe_module
from se_viz.gates.refusals import REJECTIONS


@dataclass(frozen=True, slots=True)
class VerifiedGate:
    """The properties of a verified gate; fields without a description here are those of ``Gate``.

    Attributes:
        seen: whether the multiplication was seen.
        hidden: whether z was seen only at a call of a function, at no module, so that it is better to watch the
            multiplication.
    """

    channels: int
    bottleneck: int | None
    squeeze: str
    gate_function: str
    z_tap: TapPoint | None
    s_tap: TapPoint
    layout: Layout
    hidden: bool = False
    seen: bool = False


def verify_gate(
    module: nn.Module,
    shape: torch.Size,
    weights: tuple[torch.device, torch.dtype],
    kind: KnownGate | None,
    *,
    dead: bool,
) -> VerifiedGate | None:
    """Run ``module`` on synthetic maps with the channels and size of ``shape``; return its properties, None if no gate.

    A gate passes if the output of one of its modules is s with X̃ = s · U on every pixel and, unless ``dead`` is set, s
    differs between images. A gate whose s is not the output of any module does not pass here; its multiplication is
    watched instead.

    Args:
        module: the candidate, in eval mode.
        shape: shape of its input in the network, (N, C, H, W), or (N, H, W, C) for a class of that layout.
        weights: device and type of the network's weights.
        kind: the points of z and s, for a known class. If the class does not fit them, the module is searched.
        dead: whether an s that no image changes passes. For an unknown class this would be a fixed scale, not a gate.
    """
    probe = probe_module(module, shape, weights, kind.layout if kind else "nchw")
    if probe is None:
        return None
    s_tap = _find_s(probe, kind)
    if s_tap is None or (not dead and not _varies(probe.read(s_tap), weights[1])):
        return None
    event = _event_of(probe, s_tap)
    z_tap, squeeze = _find_z(probe, kind, event)
    if z_tap is not None:
        squeeze = _squeezes(probe, z_tap) or squeeze
    return VerifiedGate(
        channels=probe.u.shape[1],
        bottleneck=_bottleneck(probe),
        squeeze=squeeze,
        gate_function=_function(probe, s_tap),
        z_tap=z_tap,
        s_tap=s_tap,
        layout=kind.layout if kind else "nchw",
        hidden=z_tap is None and event is not None and event.excitation.z is not None,
        seen=event is not None,
    )


def _find_s(probe: Probe, kind: KnownGate | None) -> TapPoint | None:
    """Return the tap whose value gives X̃ = s · U: the known one, otherwise the last that fits; None if none fits.

    If several taps show the same value, the gate function itself is taken, not a wrapper or a dropout around it.
    """
    shown = [kind.s] if kind else []
    shown += [TapPoint(path, "output") for path in reversed(probe.parts)]
    fits = [tap for tap in shown if _is_s(probe, tap)]
    return next((tap for tap in fits if _function(probe, tap) != "other"), fits[0]) if fits else None


def _is_s(probe: Probe, tap: TapPoint) -> bool:
    s = probe.read(tap)
    return s is not None and probe.close(s[:, :, None, None] * probe.u, probe.x)


def _event_of(probe: Probe, s_tap: TapPoint) -> Event | None:
    """Return the multiplication by the value at a tap; None if it was not seen."""
    s = probe.read(s_tap)
    return next(
        (event for event in probe.events if s is not None and event.product.factor.shape == s.shape
         and probe.close(event.product.factor.to(s.dtype), s)),
        None,
    )  # fmt: skip


def _find_z(probe: Probe, kind: KnownGate | None, event: Event | None) -> tuple[TapPoint | None, str]:
    """Return the tap of a squeeze of U that feeds s, and its operator.

    The tap is None if no module has this squeeze as input or output.

    If the multiplication was seen, z is the squeeze from which its factor was computed. Otherwise z is a value that
    equals a squeeze operator by name: at the known tap, at the inputs of layers with weights, then at any other tap.
    """
    taps = [kind.z] if kind else []
    taps += [TapPoint(path, "input") for path, part in probe.parts.items() if _has_weights(part.module)]
    taps += [TapPoint(path, side) for path in probe.parts for side in ("input", "output")]
    if event is None:
        named = ((tap, identify_squeeze(probe.read(tap), probe.u)) for tap in taps)
        return next(((tap, name) for tap, name in named if name), (None, ""))
    z = event.excitation.z
    if z is None or z.data is None:
        return None, event.excitation.squeeze
    expected = z.data.reshape(probe.u.shape[:2]).to(probe.u.dtype)
    shown = ((tap, probe.read(tap)) for tap in taps)
    fits = (tap for tap, value in shown if value is not None and probe.close(value, expected))
    return next(fits, None), event.excitation.squeeze


def _has_weights(module: nn.Module) -> bool:
    return next(module.parameters(recurse=False), None) is not None


def _varies(s: Tensor | None, dtype: torch.dtype) -> bool:
    """Return whether s differs between the images by more than rounding."""
    return s is not None and bool((s.amax(0) - s.amin(0)).max() > 4 * torch.finfo(dtype).eps * s.abs().max())


def _squeezes(probe: Probe, tap: TapPoint) -> str:
    """Return the squeeze operators of all values at the tap of z, in order; "" if one of them has no name."""
    part = probe.parts.get(tap.path)
    values = [] if part is None else part.inputs if tap.side == "input" else [part.output]
    names = [identify_squeeze(probe.descriptor(value, tap), probe.u) for value in values]
    return ", ".join(dict.fromkeys(names)) if all(names) else ""


def _function(probe: Probe, s_tap: TapPoint) -> str:
    """Return the name of the gate function at a tap, from its output for numbers from -8 to 8, or "other"."""
    part = probe.parts[s_tap.path]
    like = part.inputs[0]
    if like is None:
        return "other"
    ramp = torch.linspace(-8, 8, like.numel()).to(like).reshape(like.shape)
    try:
        with torch.no_grad():
            out = part.module(ramp.clone())
    except REJECTIONS:
        return "other"  # the module takes more than one argument
    for name, function in GATE_FUNCTIONS.items():
        expected = function.apply(ramp)
        if out.shape == expected.shape and probe.close(out.to(probe.u.dtype), expected.to(probe.u.dtype)):
            return name
    spread = softmax_over_channels(ramp, probe.u)
    return SOFTMAX if out.numel() == spread.numel() and probe.close(out.reshape(spread.shape), spread) else "other"


def _bottleneck(probe: Probe) -> int | None:
    """Return the output width of the first of two or more FC layers; None if there are fewer."""
    widths = []
    for part in probe.parts.values():
        layer, value = part.module, part.inputs[0]
        if isinstance(layer, nn.Linear):
            into, out = layer.in_features, layer.out_features
        elif isinstance(layer, nn.Conv2d):
            into, out = layer.in_channels, layer.out_channels
        else:
            continue
        # A convolution over the maps (as in the attention of global context) is not an FC layer.
        if value is not None and value.numel() == len(probe.u) * into:
            widths.append(out)
    return widths[0] if len(widths) > 1 else None
