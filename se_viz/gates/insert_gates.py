"""Insertion of SE gates into a network without gates: "SE goes into any CNN" (Section 3.3 of the paper)."""

import copy
from collections import OrderedDict
from collections.abc import Collection, Iterator
from math import log2

from torch import nn
from torchvision.models.googlenet import Inception
from torchvision.models.inception import InceptionA, InceptionB, InceptionC, InceptionD, InceptionE

from se_viz.gates.errors import NoGateFound
from se_viz.gates.eval_mode import hold_eval_mode
from se_viz.gates.find import find_gates
from se_viz.gates.se_unit import GateFunction, SEGate, Squeeze
from se_viz.gates.trace import Size, Trace, placement, trace

_INCEPTION = (Inception, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE)


class CannotInsert(ValueError):
    """A network into which gates cannot be inserted; the message says why."""


def insert_gates(
    network: nn.Module,
    r: int = 16,
    squeeze: Squeeze = "avg",
    gate: GateFunction = "sigmoid",
    where: Collection[int] | None = None,
    *,
    bias: bool = False,
    size: Size | None = None,
) -> nn.Module:
    """Return a copy of a network with SE gates at the positions of the paper; the network itself is not changed.

    In a residual block, a gate scales the residual branch before the addition (Figure 3); in an Inception network, the
    output of each module (Figure 2); in a plain network such as VGG, the maps after each non-linearity that follows a
    convolution. The copy has the weights of the network; the weights of the gates are random, so the predictions of the
    copy are meaningless until it is trained.

    Args:
        network: a network that takes images (N, 3, H, W) and has no gates.
        r: reduction ratio, 1 or more.
        squeeze, gate, bias: as for ``SEResNetConfig``.
        where: the stages that get gates: i for maps of 1/2^i of the image's resolution; None for all stages.
        size: size of its images, (height, width) or the side of a square; None tries what the network states, then
            common sizes.

    Raises:
        CannotInsert: the network already has gates, or no position for a gate was found in it or in the requested
            stages.
        ValueError: r is below 1.
        InstrumentError: the network does not run on images, or hides its modules.
    """
    if r < 1:
        raise ValueError(f"r must be 1 or more, not {r}")
    _check_without_gates(network, size)
    with hold_eval_mode(network):
        traced = trace(network, size)
    shapes = {step.path: step.output for step in traced.steps}
    found: dict[int, list[tuple[str, int]]] = {}
    for path in _sites(traced):
        shape = shapes[path]
        if shape is not None and len(shape) == 4:
            found.setdefault(round(log2(traced.width / shape[-1])), []).append((path, shape[1]))
    if not found:
        raise CannotInsert(
            f"{type(network).__name__} has no known position for a gate: no residual block (conv2, bn2 and so on), no "
            "Inception module, and no Sequential with an activation after a convolution."
        )
    stages = found.keys() if where is None else found.keys() & set(where)
    if not stages:
        requested, possible = _listed(where or ()), _listed(found)
        raise CannotInsert(f"There is no position for a gate in stage {requested}, only in {possible}.")
    with_gates = copy.deepcopy(network)
    device, dtype = placement(network)
    for path, channels in (place for stage in stages for place in found[stage]):
        body = with_gates.get_submodule(path)
        unit = SEGate(channels, r, squeeze, gate, bias=bias).to(device, dtype).train(body.training)
        with_gates.set_submodule(path, nn.Sequential(OrderedDict(body=body, se=unit)))
    return with_gates


def _check_without_gates(network: nn.Module, size: Size | None) -> None:
    try:
        gates = find_gates(network, size)
    except NoGateFound:
        return
    raise CannotInsert(f"{type(network).__name__} has {len(gates)} gates already; the first is {gates[0].path}.")


def _sites(traced: Trace) -> Iterator[str]:
    """Yield the paths of the modules whose output a gate should scale, in execution order, each once."""
    branches = [f"{step.path}.{last}" for step in traced.steps if (last := _last_norm(step.module))]
    modules = [step.path for step in traced.steps if isinstance(step.module, _INCEPTION)]
    ran = {step.path for step in traced.steps}
    yield from dict.fromkeys(path for path in branches or modules or _activations(traced) if path in ran)


def _last_norm(block: nn.Module) -> str | None:
    """Return the last normalisation on a residual branch, by the names that torchvision and timm share."""
    return next(
        (f"bn{i}" for i in (3, 2) if all(hasattr(block, f"{part}{i}") for part in ("conv", "bn"))),
        None,
    )


def _activations(traced: Trace) -> Iterator[str]:
    """Yield activations that follow a convolution in the same Sequential, as in VGG, on maps of the same shape.

    The blocks of ConvNeXt also have an activation after a convolution, but after a change to channels-last order and a
    linear layer; these are left out.
    """
    shapes = {step.path: step.output for step in traced.steps}
    for step in traced.steps:
        if isinstance(step.module, nn.Sequential):
            convolved = None
            for name, child in step.module.named_children():
                path = f"{step.path}.{name}" if step.path else name
                if isinstance(child, nn.Conv2d):
                    convolved = shapes.get(path)
                elif convolved and isinstance(child, nn.ReLU | nn.ReLU6 | nn.SiLU | nn.GELU | nn.Hardswish):
                    if shapes.get(path) == convolved:
                        yield path
                    convolved = None


def _listed(stages: Collection[int]) -> str:
    return ", ".join(map(str, sorted(stages))) or "none"
