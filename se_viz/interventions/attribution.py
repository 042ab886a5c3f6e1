"""Attribution of a logit to the excitation weights of a gate's channels, by the methods of captum."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor, nn

from se_viz.extras import missing
from se_viz.interventions.baseline import Weights, baseline_of
from se_viz.interventions.conductance import conductance
from se_viz.interventions.gradients import asking_for_gradients
from se_viz.interventions.logit_targets import Target, targets_among
from se_viz.interventions.suffix import Suffix, instrument_and_inputs, suffix
from se_viz.model.model import Images, Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.types import Floats, Int64s, Positions
from se_viz.weights.tensor_kinds import doubles

Method: TypeAlias = Literal[
    "integrated gradients", "gradient × change", "exact", "shapley sampling", "layer-conductance"
]

METHODS: tuple[Method, ...] = get_args(Method)
_ROWS = 64  # of s that a method asks for at once

_INSTEAD = 'The method "exact" needs no gradients.'


@dataclass(frozen=True, slots=True)
class Attribution:
    """Contributions of the C channels of one gate to one logit of N images.

    Attributes:
        gate: name of the gate.
        method: the method.
        targets: the logit of each image (N,).
        values: contributions (N, C), in logits: what s of the channel, in place of its baseline, adds to the logit.
            With "exact", one channel at a time is set to its baseline, so the contributions need not add up.
        s: excitation weights (N, C).
        baseline: the weights that s is compared with (C,).
        change: f(s) − f(baseline), in logits (N,).
    """

    gate: str
    method: Method
    targets: Int64s
    values: Floats
    s: Floats
    baseline: Floats
    change: Floats

    @property
    def completeness_error(self) -> Floats:
        """Sum of the contributions minus the change that they should add up to, in logits (N,)."""
        error: Floats = self.values.sum(axis=1) - self.change
        return error

    def strongest(self, count: int, image: int = 0) -> Positions:
        """Return the ``count`` channels with the largest contributions, by magnitude, the largest first."""
        order: Positions = np.argsort(-np.abs(self.values[image]), kind="stable")[:count]
        return order


def attribute(
    network: Model | nn.Module,
    images: Images,
    gate: str,
    target: Target = None,
    method: Method = "integrated gradients",
    *,
    baseline: Weights = "mean",
    profiles: ClassProfiles | None = None,
    steps: int = 50,
    samples: int = 25,
    seed: int = 0,
) -> Attribution:
    """Attribute a logit to the channels of a gate, as a function of s.

    Args:
        network, images, gate: as for ``suffix``.
        target: class by name or number, one for all images or one for each (default: the class that the network
            predicts).
        method: "integrated gradients"; "gradient × change", ∂f/∂s · (s − baseline); "exact", the effect of setting
            each channel to its baseline; "shapley sampling"; "layer-conductance", in which the input moves from the
            mean colour (0 after preprocessing) to the image, and s changes with it. Only the part of the logit's
            change that goes through s is attributed, so the contributions need not add up to the whole change. The
            baseline of the result is s of the mean colour.
        baseline: "mean" of the class profiles, a number, or C numbers; not used by "layer-conductance".
        profiles: where the mean is taken from; the bundled ones of a demo model if not given.
        steps: number of steps of the integral.
        samples: number of permutations of "shapley sampling".
        seed: seed of these permutations.

    Raises:
        KeyError: there is no such gate, or no such class.
        ValueError: the method is not known, or a number is out of its range.
        NoMean: no class profiles say what the mean is.
        InstrumentError: see ``suffix``.
    """
    require_method(method)
    _require_counts(steps, samples)
    if method == "layer-conductance":
        return _conductance(network, images, gate, target, baseline, steps)
    function = suffix(network, images, gate, batch=_ROWS)
    targets = targets_among(function.logits, network, target)
    base = baseline_of(baseline, function.gate, function.s, network, profiles)
    return attribute_suffix(function, targets, base, method, steps=steps, samples=samples, seed=seed)


def attribute_suffix(
    function: Suffix,
    targets: Tensor,
    base: Tensor,
    method: Method,
    *,
    steps: int = 50,
    samples: int = 25,
    seed: int = 0,
) -> Attribution:
    """Attribute the logits of N images to s, by any method but "layer-conductance", which needs the images.

    Args:
        function: the network as a function of s.
        targets: number of the logit of each image (N,).
        base: the baseline of s (C,).
        method, steps, samples, seed: as for ``attribute``.
    """
    lines = base.expand_as(function.s)
    if method == "integrated gradients":
        values = _integrated(function, lines, targets, steps)
    elif method == "gradient × change":
        values = _gradient(function, lines, targets)
    elif method == "exact":
        values = _exact(function, lines, targets)
    else:
        values = _shapley(function, lines, targets, samples, seed)
    with torch.no_grad():
        change = _of_target(function.logits - function(lines), targets)
    return Attribution(
        gate=function.gate.name,
        method=method,
        targets=targets.cpu().numpy(),
        values=doubles(values),
        s=doubles(function.s),
        baseline=doubles(base),
        change=doubles(change),
    )


def require_method(method: str) -> None:
    """Check the name of a method.

    Raises:
        ValueError: no method has this name; the message lists the names.
    """
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(METHODS)}, not {method!r}.")


def _require_counts(steps: int, samples: int) -> None:
    if not all(isinstance(count, int | np.integer) and count >= 1 for count in (steps, samples)):
        raise ValueError(f"steps and samples must be whole numbers, 1 or more, not {steps!r} and {samples!r}.")


def _conductance(
    network: Model | nn.Module, images: Images, gate: str, target: Target, baseline: Weights, steps: int
) -> Attribution:
    if not (isinstance(baseline, str) and baseline == "mean"):
        raise ValueError("layer-conductance starts at an image of the mean colour and takes no baseline of s.")
    instrument, inputs = instrument_and_inputs(network, images)
    named = instrument.gate(gate)
    found = conductance(
        _captum(), instrument, named, inputs, lambda logits: targets_among(logits, network, target), steps
    )
    return Attribution(
        gate=gate,
        method="layer-conductance",
        targets=found.targets.cpu().numpy(),
        values=doubles(found.values),
        s=doubles(found.s),
        baseline=doubles(found.baseline),
        change=doubles(found.change),
    )


def _captum() -> ModuleType:
    try:
        from captum import attr
    except ImportError as error:
        raise ImportError(missing("An attribution by gradients", error, "attribution")) from error
    module: ModuleType = attr
    return module


def _integrated(function: Suffix, lines: Tensor, targets: Tensor, steps: int) -> Tensor:
    method = _captum().IntegratedGradients(_wide(function))
    batch = max(_ROWS, len(lines))
    with asking_for_gradients(function.gate.name, _INSTEAD):
        values: Tensor = method.attribute(
            function.s.float(), lines.float(), target=targets, n_steps=steps, internal_batch_size=batch
        )
    return values


def _gradient(function: Suffix, lines: Tensor, targets: Tensor) -> Tensor:
    # Of the change, so that the input that is multiplied by is s − baseline.
    full, change = _wide(function), (function.s.float() - lines.float()).requires_grad_()
    method = _captum().InputXGradient(lambda part: full(lines.float() + part))
    with asking_for_gradients(function.gate.name, _INSTEAD):
        values: Tensor = method.attribute(change, target=targets)
    return values


def _exact(function: Suffix, lines: Tensor, targets: Tensor) -> Tensor:
    """Return what captum's ``FeatureAblation`` returns, with as many passes and less work between them."""
    s = function.s
    alone = torch.eye(s.shape[1], dtype=torch.bool, device=s.device)
    with torch.no_grad():
        full = function(s)
        of_images = []
        # One image at a time, so that memory does not grow by C · C for each.
        for image, target in enumerate(targets.tolist()):
            ablated = function.of_image(image, torch.where(alone, lines[image], s[image]))
            of_images.append((full[image] - ablated).float()[:, target])
        return torch.stack(of_images)


def _shapley(function: Suffix, lines: Tensor, targets: Tensor, samples: int, seed: int) -> Tensor:
    """Return the mean effect of each channel over random orders in which all channels are set to s.

    Captum's ``ShapleyValueSampling`` computes the same. It takes about forty times as long, because it prepares the
    passes channel by channel.
    """
    s, channels = function.s, function.s.shape[1]
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(s.shape, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(samples):
            order = torch.randperm(channels, generator=generator)
            known = order.argsort()[None, :] < torch.arange(channels + 1)[:, None]  # (C + 1, C)
            known = known.to(s.device)
            # One image at a time, so that memory does not grow by C · C for each.
            for image, target in enumerate(targets.tolist()):
                logits = function.of_image(image, torch.where(known, s[image], lines[image])).float()
                total[image, order] += logits[:, target].cpu().double().diff()
    return total / samples


def _wide(function: Suffix) -> Callable[[Tensor], Tensor]:
    """Return the suffix in float32, because sums over many steps would be rounded in half precision."""
    return lambda s: function(s).float()


def _of_target(values: Tensor, targets: Tensor) -> Tensor:
    return values.float().gather(1, targets.to(values.device)[:, None])[:, 0]
