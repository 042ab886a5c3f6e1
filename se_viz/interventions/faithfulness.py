"""Insertion and deletion curves of orders of channels, with random orders as the control."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor, nn

from se_viz.interventions.attribution import Attribution, Method, attribute, attribute_suffix, require_method
from se_viz.interventions.baseline import Weights, baseline_of
from se_viz.interventions.logit_targets import Target, targets_among
from se_viz.interventions.suffix import Suffix, suffix
from se_viz.model.model import Images, Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.types import Floats, Int64s

Order: TypeAlias = Literal["attribution", "s", "|X̃ − U|", "random"]

ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True, slots=True)
class Curves:
    """The logit of the target as channels are changed in one order, the most important first.

    Attributes:
        insertion: logit (N, T) where the first channels have their s and the others the baseline.
        deletion: logit (N, T) where the first channels have the baseline and the others their s.
    """

    insertion: Floats
    deletion: Floats


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Curves of several orders of one gate's channels, of N images.

    Attributes:
        gate: name of the gate.
        targets: the logit of each image (N,).
        channels: number of channels that are changed at each of the T points, from 0 to C.
        curves: by order; those of "random" are means of several orders.
        spread: standard deviation over the random orders of their areas (N,), insertion and deletion.
    """

    gate: str
    targets: Int64s
    channels: Int64s
    curves: Mapping[Order, Curves]
    spread: tuple[Floats, Floats] | None

    def insertion_area(self, order: Order) -> Floats:
        """Return the mean logit along the insertion curve (N,), in logits: larger if the order is one of importance."""
        return _area(self.channels, self.curves[order].insertion)

    def deletion_area(self, order: Order) -> Floats:
        """Return the mean logit along the deletion curve (N,), in logits: smaller if the order is one of importance."""
        return _area(self.channels, self.curves[order].deletion)


def faithfulness(
    network: Model | nn.Module,
    images: Images,
    gate: str,
    orders: Sequence[Order] = ORDERS,
    *,
    target: Target = None,
    method: Method = "integrated gradients",
    baseline: Weights = "mean",
    profiles: ClassProfiles | None = None,
    points: int = 25,
    repeats: int = 10,
    seed: int = 0,
) -> Faithfulness:
    """Change the channels of a gate in several orders, and return the logit along each.

    Args:
        network, images, gate: as for ``suffix``.
        orders: "attribution", by the contribution of ``method``, the largest first; "s", the largest weight first;
            "|X̃ − U|", the norm of the change by the gate, the largest first; "random".
        target, method, profiles: as for ``attribute``.
        baseline: the weights of channels that are deleted or not yet inserted, as for ``attribute``; of
            "layer-conductance" only the order of the channels comes from an image.
        points: number of points of each curve.
        repeats: number of random orders.
        seed: seed of these orders.

    Raises:
        ValueError: an order is not known, or there are too few points or repeats; and as ``attribute``.
        TypeError: orders are not a list.
    """
    require_method(method)
    if isinstance(orders, str):
        raise TypeError(f"orders are a list, such as [{ORDERS[0]!r}, {ORDERS[-1]!r}], not the text {orders!r}.")
    if wrong := [order for order in orders if order not in ORDERS]:
        raise ValueError(f"orders are {', '.join(ORDERS)}, not {wrong[0]!r}.")
    if not all(isinstance(count, int | np.integer) for count in (points, repeats)) or points < 2 or repeats < 1:
        raise ValueError(
            f"points must be 2 or more and repeats 1 or more, whole numbers, not {points!r} and {repeats!r}."
        )
    function = suffix(network, images, gate)
    targets = targets_among(function.logits, network, target)
    base = baseline_of(baseline, function.gate, function.s, network, profiles)
    count = function.gate.channels
    channels = np.unique(np.linspace(0, count, min(points, count + 1)).round().astype(np.int64))

    def attributed() -> Attribution:
        if method == "layer-conductance":
            return attribute(network, images, gate, targets.tolist(), method)
        return attribute_suffix(function, targets, base, method, seed=seed)

    curves: dict[Order, Curves] = {}
    spread = None
    for order in dict.fromkeys(orders):
        if order == "random":
            ranks = _random_ranks(len(function.s), count, repeats, seed)
        else:
            by = torch.from_numpy(attributed().values) if order == "attribution" else _sizes(function, order)
            ranks = [by.argsort(dim=1, descending=True, stable=True)]
        made = [_curves(function, base, targets, rank, channels) for rank in ranks]
        curves[order] = Curves(*(np.mean([getattr(one, what) for one in made], axis=0) for what in _CURVES))
        if order == "random":
            insertion, deletion = (
                np.std([_area(channels, getattr(one, what)) for one in made], axis=0) for what in _CURVES
            )
            spread = insertion, deletion
    return Faithfulness(gate, targets.cpu().numpy(), channels, curves, spread)


_CURVES = ("insertion", "deletion")


def _sizes(function: Suffix, order: Order) -> Tensor:
    """Return the numbers (N, C) by which an order without attribution puts the channels, the largest first."""
    s = function.s.float()
    return (s if order == "s" else (1 - s).abs() * function.norms).cpu()


def _random_ranks(images: int, channels: int, repeats: int, seed: int) -> list[Tensor]:
    """Return random orders of the channels (N, C), ``repeats`` of them, each another for every image."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.stack([torch.randperm(channels, generator=generator) for _ in range(images)]) for _ in range(repeats)]


def _curves(function: Suffix, base: Tensor, targets: Tensor, rank: Tensor, channels: Int64s) -> Curves:
    """Both curves of one order of the channels of each image (N, C)."""
    s = function.s
    place = rank.argsort(1).to(s.device)  # of each channel in the order
    many = torch.from_numpy(channels).to(s.device)
    first = place[:, None, :] < many[None, :, None]  # (N, T, C)
    both = [
        torch.where(first, s[:, None], base.expand_as(s)[:, None]),
        torch.where(first, base.expand_as(s)[:, None], s[:, None]),
    ]
    with torch.no_grad():
        logits = [function(rows).float() for rows in both]
    at = targets.to(s.device)[:, None, None].expand(-1, len(channels), 1)
    insertion, deletion = (rows.gather(2, at)[..., 0].cpu().double().numpy() for rows in logits)
    return Curves(insertion, deletion)


def _area(channels: Int64s, curve: Floats) -> Floats:
    area: Floats = np.trapezoid(curve, channels, axis=1) / (channels[-1] - channels[0])
    return area
