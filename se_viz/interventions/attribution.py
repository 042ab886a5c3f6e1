"""How much each channel's excitation weight contributes to a logit, by the methods of captum."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from se_viz.interventions.baseline import Weights, baseline_of
from se_viz.interventions.suffix import Suffix, suffix
from se_viz.model.model import Images, Model
from se_viz.profiles.class_profiles import ClassProfiles

Method: TypeAlias = Literal["integrated gradients", "gradient × change", "exact", "shapley sampling"]
Target: TypeAlias = int | str | Sequence[int | str] | None
Floats: TypeAlias = npt.NDArray[np.float64]

METHODS: tuple[Method, ...] = get_args(Method)
_ROWS = 64  # of s that a method asks for at once


@dataclass(frozen=True, slots=True)
class Attribution:
    """Contributions of the C channels of one gate to one logit of N images.

    Attributes:
        gate: its name.
        method: which.
        targets: the logit of each image (N,).
        values: (N, C), in logits: how much s of the channel, in place of its baseline, adds to the logit. With "exact"
            one channel at a time is set to its baseline, so that they need not add up.
        s: excitation weights (N, C).
        baseline: (C,).
        change: f(s) − f(baseline), in logits (N,).
    """

    gate: str
    method: Method
    targets: npt.NDArray[np.int64]
    values: Floats
    s: Floats
    baseline: Floats
    change: Floats

    @property
    def completeness_error(self) -> Floats:
        """Sum of the contributions less the change that they should add up to, in logits (N,)."""
        error: Floats = self.values.sum(axis=1) - self.change
        return error

    def strongest(self, count: int, image: int = 0) -> npt.NDArray[np.intp]:
        """Return the channels with the largest contributions, by magnitude, the largest first."""
        order: npt.NDArray[np.intp] = np.argsort(-np.abs(self.values[image]), kind="stable")[:count]
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
        target: class by name or number, for all images or one for each; what the network says if not given.
        method: "integrated gradients"; "gradient × change", ∂f/∂s · (s − baseline); "exact", the effect of setting
            each channel to its baseline; "shapley sampling".
        baseline: "mean" of the class profiles, a number, or C numbers.
        profiles: where the mean is taken from; the bundled ones of a demo model if not given.
        steps: of the integral.
        samples: of the permutations of "shapley sampling".
        seed: of the same.

    Raises:
        KeyError: there is no such gate, or no such class.
        ValueError: the method is not known, or a number is out of its range.
        NoMean: no class profiles say what the mean is.
        InstrumentError: see ``suffix``.
    """
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(METHODS)}, not {method!r}.")
    function = suffix(network, images, gate, batch=_ROWS)
    return attribute_suffix(
        function, network, target, method, baseline=baseline, profiles=profiles, steps=steps, samples=samples, seed=seed
    )


def attribute_suffix(
    function: Suffix,
    network: Model | nn.Module,
    target: Target = None,
    method: Method = "integrated gradients",
    *,
    baseline: Weights = "mean",
    profiles: ClassProfiles | None = None,
    steps: int = 50,
    samples: int = 25,
    seed: int = 0,
) -> Attribution:
    """``attribute`` of a suffix that is there already."""
    targets = targets_of(function, network, target)
    base = baseline_of(baseline, function.gate, function.s, network, profiles)
    lines = base.expand_as(function.s)
    run = {
        "integrated gradients": lambda: _integrated(function, lines, targets, steps),
        "gradient × change": lambda: _gradient(function, lines, targets),
        "exact": lambda: _exact(function, lines, targets),
        "shapley sampling": lambda: _shapley(function, lines, targets, samples, seed),
    }[method]
    values = run()
    with torch.no_grad():
        change = _of_target(function.logits - function(lines), targets)
    return Attribution(
        function.gate.name, method, targets.cpu().numpy(), _floats(values), _floats(function.s), _floats(base),
        _floats(change),
    )  # fmt: skip


def targets_of(function: Suffix, network: Model | nn.Module, target: Target) -> Tensor:
    """Return the number of the logit that is asked about, for each image (N,).

    Raises:
        KeyError: there is no such class; the message names what there is.
        ValueError: there is neither one nor one for each image.
    """
    images, outputs = function.logits.shape
    if target is None:
        return function.logits.float().argmax(1)
    asked = [target] if isinstance(target, int | str) else list(target)
    if len(asked) not in (1, images):
        raise ValueError(f"There are {len(asked)} targets for {images} images: give one, or one for each.")
    names = network.classes if isinstance(network, Model) else ()
    found = [_number(one, outputs, names) for one in asked]
    return torch.tensor(found * (images // len(found)))


def _number(target: int | str, outputs: int, names: Sequence[str]) -> int:
    if isinstance(target, str):
        if target in names:
            return names.index(target)
        near = ", ".join(names[:12]) if names else f"numbers 0 to {outputs - 1}, as the classes have no names"
        raise KeyError(f"No class {target!r}; there are {near}{' …' if len(names) > 12 else ''}")
    if not 0 <= target < outputs:
        raise KeyError(f"No logit {target}; there are 0 to {outputs - 1}")
    return target


def _integrated(function: Suffix, lines: Tensor, targets: Tensor, steps: int) -> Tensor:
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(_wide(function))
    return method.attribute(
        function.s.float(), lines.float(), target=targets, n_steps=steps, internal_batch_size=max(_ROWS, len(lines))
    )


def _gradient(function: Suffix, lines: Tensor, targets: Tensor) -> Tensor:
    from captum.attr import InputXGradient

    # Of the change, so that the input that is multiplied by is s − baseline.
    full = _wide(function)
    method = InputXGradient(lambda change: full(lines.float() + change))
    return method.attribute(function.s.float() - lines.float(), target=targets)


def _exact(function: Suffix, lines: Tensor, targets: Tensor) -> Tensor:
    from captum.attr import FeatureAblation

    with torch.no_grad():
        many = max(1, _ROWS // len(lines))
        return FeatureAblation(_wide(function)).attribute(
            function.s.float(), lines.float(), target=targets, perturbations_per_eval=many
        )


def _shapley(function: Suffix, lines: Tensor, targets: Tensor, samples: int, seed: int) -> Tensor:
    from captum.attr import ShapleyValueSampling

    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        many = max(1, _ROWS // len(lines))
        return ShapleyValueSampling(_wide(function)).attribute(
            function.s.float(), lines.float(), target=targets, n_samples=samples, perturbations_per_eval=many
        )


def _wide(function: Suffix) -> Callable[[Tensor], Tensor]:
    """The suffix in float32: sums over many steps would lose what half precision cannot hold."""
    return lambda s: function(s).float()


def _of_target(values: Tensor, targets: Tensor) -> Tensor:
    return values.float().gather(1, targets.to(values.device)[:, None])[:, 0]


def _floats(values: Tensor) -> Floats:
    made: Floats = values.detach().cpu().double().numpy()
    return made
