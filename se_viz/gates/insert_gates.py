"""Putting SE gates into a network that has none: "SE goes into any CNN" (Section 3.3 of the paper)."""

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
    """Gates cannot be put into this network; the message says why."""


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
    """A copy of a network with SE gates where the paper puts them; the network itself is left as it is.

    In a residual block a gate weighs the residual branch before the addition (Figure 3), in an Inception network the
    output of each module (Figure 2), and in a plain network such as VGG the maps behind each non-linearity that follows
    a convolution. The weights of the copy are the network's; those of the gates are random, so its predictions are no
    longer worth anything until it is trained.

    Args:
        network: takes images (N, 3, H, W) and has no gates.
        r: reduction ratio, 1 or more.
        squeeze, gate, bias: as for ``SEResNetConfig``.
        where: the stages that get gates, i for where maps have 1/2^i of the image's resolution; None for all.
        size: of its images, (height, width) or the side of a square; None finds out.

    Raises:
        CannotInsert: it has gates already, no place for one was found, or none in the stages asked for.
        ValueError: r below 1.
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
            f"{type(network).__name__} has no place for a gate that is known: no residual block (conv2, bn2 and so "
            "on), no Inception module, and no Sequential with an activation behind a convolution."
        )
    stages = found.keys() if where is None else found.keys() & set(where)
    if not stages:
        raise CannotInsert(f"There is no place for a gate in stage {_listed(where or ())}, only in {_listed(found)}.")
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
    raise CannotInsert(f"{type(network).__name__} has {len(gates)} gates already, the first is {gates[0].path}.")


def _sites(traced: Trace) -> Iterator[str]:
    """Paths of the modules whose output a gate should weigh, in execution order, each once."""
    branches = [f"{step.path}.{last}" for step in traced.steps if (last := _last_norm(step.module))]
    modules = [step.path for step in traced.steps if isinstance(step.module, _INCEPTION)]
    ran = {step.path for step in traced.steps}
    yield from dict.fromkeys(path for path in branches or modules or _activations(traced) if path in ran)


def _last_norm(block: nn.Module) -> str | None:
    """The last normalisation on a residual branch, by the names that torchvision and timm share."""
    return next(
        (f"bn{i}" for i in (3, 2) if all(hasattr(block, f"{part}{i}") for part in ("conv", "bn"))),
        None,
    )


def _activations(traced: Trace) -> Iterator[str]:
    """Activations that follow a convolution in the same Sequential, as in VGG, on maps of the convolution's shape.

    In ConvNeXt's blocks one follows, too, but behind a change to channels-last and a linear layer.
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
