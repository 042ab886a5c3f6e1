"""Finding the gates of a network: by class where the class is known, by proof where it is not."""

from typing import TypeAlias

from torch import nn

from se_viz.gates.errors import NoGateFound
from se_viz.gates.gate import Gate
from se_viz.gates.kinds import kind_of, known_kinds
from se_viz.gates.mode import evaluating
from se_viz.gates.naming import places
from se_viz.gates.proof import Proof, prove
from se_viz.gates.trace import IMAGES, Size, Step, Trace, check_readable, placement, trace

_Proved: TypeAlias = dict[str, tuple[Step, Proof]]


def find_gates(network: nn.Module, size: Size | None = None) -> tuple[Gate, ...]:
    """Every SE-type gate of a network, in execution order.

    One forward pass of noise tells which modules run and at what size. Those of a known class, and every other module
    that returns a map of its input's shape, are then proved alone: X̃ = s · U with U ≠ 0 (see ``proof``). Where one
    module that passes holds another, the inner one is the gate. A gate that runs more than once in a pass (shared
    weights), or on parts of an image, has no single s for an image and is left out. The network's mode and gradients
    are as before.

    Args:
        network: takes images (N, 3, H, W).
        size: of the images for that pass, (height, width) or the side of a square; None finds out.

    Raises:
        NoGateFound: nothing passed; the message says what was looked for.
        NotReadable: the network is compiled, scripted or exported.
        NotAnImageModel: the network does not run on images.
    """
    check_readable(network)
    with evaluating(network):
        traced = trace(network, size)
        proved = _prove(traced, network)
    once = [step.path for step in traced.steps if step.path in proved and _once_an_image(step)]
    if not once:
        raise NoGateFound(_why_none(network, traced, proved))
    ordered = [proved[path] for path in once]
    named = places(traced, once, [proof.layout for _, proof in ordered])
    return tuple(
        Gate(
            name=place.name,
            path=step.path,
            kind=type(step.module).__name__,
            stage=place.stage,
            block=place.block,
            channels=proof.channels,
            bottleneck=proof.bottleneck,
            squeeze=proof.squeeze,
            function=proof.function,
            proof="class" if kind_of(step.module) else "search",
            layout=proof.layout,
            z_tap=proof.z_tap,
            s_tap=proof.s_tap,
        )
        for (step, proof), place in zip(ordered, named, strict=True)
    )


def _prove(traced: Trace, network: nn.Module) -> _Proved:
    weights = placement(network)
    # Deepest first, so that the gate is found before the wrapper around it.
    candidates = sorted(filter(_may_be_gate, traced.steps), key=lambda step: -step.path.count("."))
    proved: _Proved = {}
    found: set[type[nn.Module]] = set()
    # Again for classes that passed elsewhere: an s that no image changes is then a gate that has died.
    for again in (False, True):
        for step in candidates:
            if step.input is None or step.path in proved or _holds_one_of(step.path, proved):
                continue
            if again and type(step.module) not in found:
                continue
            kind = kind_of(step.module)
            proof = prove(step.module, step.input, weights, kind, dead=again or kind is not None)
            if proof is not None:
                proved[step.path] = (step, proof)
        found = {type(step.module) for step, _ in proved.values()} - {nn.Sequential}
    return proved


def _may_be_gate(step: Step) -> bool:
    """A known class, or a module with parts and weights that keeps the shape of a map of more than one pixel."""
    if step.input is None or len(step.input) != 4:
        return False
    if kind_of(step.module) is not None:
        return True
    keeps_shape = step.output == step.input and step.input[2] * step.input[3] > 1
    return (
        keeps_shape
        and next(step.module.children(), None) is not None
        and next(step.module.parameters(), None) is not None
    )


def _holds_one_of(path: str, proved: _Proved) -> bool:
    return any(inner.startswith(f"{path}." if path else "") for inner in proved)


def _once_an_image(step: Step) -> bool:
    return step.times == 1 and step.input is not None and step.input[0] == IMAGES


def _why_none(network: nn.Module, traced: Trace, proved: _Proved) -> str:
    name = type(network).__name__
    if proved:
        return (
            f"No gate of {name} can be read: {', '.join(proved)} run more than once in a pass, or on parts of an "
            f"image, so that no single s belongs to an image."
        )
    kinds = ", ".join(kind.rpartition(".")[2] for kind in known_kinds())
    return (
        f"No channel gate found in {name}: none of its {len(traced.steps)} modules is of a known kind ({kinds}) or "
        f"multiplies feature maps by one weight per channel that depends on the image. A gate whose product stands in "
        f"the code of the block around it can be read once it is a module of its own."
    )
