"""Conductance of the excitation weights of a gate (Dhamdhere et al. 2018), by captum's ``LayerConductance``.

The other methods move s from a baseline to s and leave U as it is. Conductance moves the image from a baseline image,
and counts the part of the change of the logit that goes through s of each channel: Σ over steps of ∂f/∂s_c · Δs_c. The
rest goes through U, so the contributions of a gate need not add up to the change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor, nn

from se_viz.device.memory import raise_if_full
from se_viz.gates.clone import clone_sharing_weights
from se_viz.gates.errors import NotReadable
from se_viz.gates.forward_pass import refusals_told
from se_viz.gates.gate import Gate, TapPoint
from se_viz.gates.instrument import Instrument
from se_viz.gates.trace import placement, watched
from se_viz.interventions.gradients import asking_for_gradients
from se_viz.interventions.suffix import private_network, require_finite
from se_viz.weights.tensor_kinds import table_of

_IMAGES = 8  # of a call, of which two steps at least run at once


@dataclass(frozen=True, slots=True, eq=False)
class Conductance:
    """Contributions of N images (N, C), the logit of each (N,), s (N, C), and both for the baseline image (C,), (N,).

    Attributes:
        values: contributions, in logits.
        targets: numbers of the logits.
        s, baseline: excitation weights of the images and of the baseline image.
        change: f(image) − f(baseline image), in logits.
    """

    values: Tensor
    targets: Tensor
    s: Tensor
    baseline: Tensor
    change: Tensor


def conductance(
    captum: ModuleType,
    instrument: Instrument,
    gate: Gate,
    images: Tensor,
    targets_of: Callable[[Tensor], Tensor],
    steps: int,
) -> Conductance:
    """Return the conductance of each channel's s; the baseline image is 0 after preprocessing, the mean colour.

    Args:
        captum: the module ``captum.attr``.
        instrument: the instrument of the network, of which a private copy runs.
        gate: a gate whose s is input or output of a module.
        images: preprocessed (N, 3, H, W).
        targets_of: takes logits (N, K) and returns the number of the logit for each image (N,).
        steps: number of steps from the baseline image to the image.

    Raises:
        NotReadable: no module returns s, or that module is also used by other code.
        DeviceFull: the device has no room for a batch.
    """
    tap = gate.s_tap
    if tap is None:
        raise NotReadable(
            f"layer-conductance needs a module that returns s, and the code of the block computes that of {gate.name}. "
            'Use another method, for instance "integrated gradients".'
        )
    with instrument.attached():
        network = private_network(instrument.network)
    device, dtype = placement(network)
    images = images.to(device, dtype)
    with torch.inference_mode(False), raise_if_full(device, f"{2 * _IMAGES} images with gradients"):
        part, s, logits = _s_module(network, gate, tap, images)
        _, base, base_logits = _s_module(network, gate, tap, torch.zeros_like(images[:1]))
        require_finite(logits)
        require_finite(base_logits)
        targets = targets_of(logits)
        method = captum.LayerConductance(_Table(network), part)
        parts = []
        for start in range(0, len(images), _IMAGES):
            some = images[start : start + _IMAGES]
            with asking_for_gradients(gate.name, 'The method "exact" needs no gradients.'):
                found = method.attribute(
                    some,
                    0,
                    target=targets[start : start + _IMAGES],
                    n_steps=steps,
                    internal_batch_size=2 * _IMAGES,
                    attribute_to_layer_input=tap.side == "input",
                )
            parts.append(tap.finish(found.detach(), len(some), gate.channels))
    at = targets.to(device)[:, None]
    change = logits.float().gather(1, at) - base_logits.float().expand_as(logits).gather(1, at)
    return Conductance(torch.cat(parts), targets, s, base[0], change[:, 0])


class _Table(nn.Module):
    """The logits of a network as a dense table."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor | None:
        """Images (N, 3, H, W) → logits (N, K)."""
        return table_of(self.network(images))


def _s_module(network: nn.Module, gate: Gate, tap: TapPoint, images: Tensor) -> tuple[nn.Module, Tensor, Tensor]:
    """Return the module that takes or returns s and runs for nothing else, s (N, C) and the logits (N, K).

    A module that several gates share, as a gate function may be, becomes one of this gate alone.
    """
    unit = network.get_submodule(gate.path)
    for _ in range(2):
        part = unit.get_submodule(tap.path)
        seen: list[Tensor] = []

        def keep(_module: nn.Module, value: object, seen: list[Tensor] = seen) -> None:
            if isinstance(value, Tensor):
                seen.append(value.detach().clone())

        def ignore(_module: nn.Module, _value: object) -> None:
            pass

        watching = watched([part], *((keep, ignore) if tap.side == "input" else (ignore, keep)))
        with torch.no_grad(), watching, refusals_told(network, images):
            logits = table_of(network(images.clone()))
        if logits is None or logits.ndim != 2 or not logits.is_floating_point():
            raise NotReadable(f"{type(network).__name__} returns no logits (N, K) that could be attributed to s.")
        if len(seen) == 1:
            return part, tap.finish(seen[0], len(images), gate.channels), logits
        parent, _, name = tap.path.rpartition(".")
        setattr(unit.get_submodule(parent), name, clone_sharing_weights(part))
    raise NotReadable(
        f"The module of {gate.name} that returns s runs {len(seen)} times in a pass, and layer-conductance cannot tell "
        'its runs apart. Use another method, for instance "integrated gradients".'
    )
