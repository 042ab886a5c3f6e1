"""Replacement of gates by constants in a copy of a network, and folding of these into neighbouring layers."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from se_viz.device.memory import is_out_of_memory
from se_viz.gates.clone import clone_sharing_weights
from se_viz.gates.edited_product import same_bits
from se_viz.gates.errors import NotReadable
from se_viz.gates.gate import Gate
from se_viz.gates.refusals import REJECTIONS
from se_viz.gates.trace import first_tensor
from se_viz.interventions.fold_gate import ConstantGate, Fold, Passing, find_fold, trace_neighbours
from se_viz.weights.tensor_kinds import numbers_of

MULTIPLIES = "as a multiplication"
PASSES = "as nothing, since s = 1"

# How far a folded network may be from one that multiplies, as a share of the largest number that it returns.
_TOLERANCE = {torch.float64: 1e-10, torch.bfloat16: 5e-2, torch.float16: 5e-3}


class CannotFreeze(ValueError):
    """A gate cannot be made a constant; the message says which, why and what to do."""


def put_constants(
    copy: nn.Module, gates: Sequence[Gate], constants: Mapping[str, Tensor], images: Tensor
) -> dict[str, str]:
    """Make gates of a private network constants, folded where that is exact, and return how, by path.

    Args:
        copy: the private network, in eval mode.
        gates: the gates, which must be modules.
        constants: s of each by name (C,), in double precision.
        images: images (N, 3, H, W) to try the result on.

    Raises:
        CannotFreeze: the network does not run with them, or a module does more than these gates.
    """
    placed: dict[str, tuple[ConstantGate, Tensor]] = {}
    overwriting = _overwriting(copy, {gate.path for gate in gates}, images)
    for gate in gates:
        if gate.path not in placed:
            s = constants[gate.name]
            constant = ConstantGate(s.to(images), gate.layout, overwrites=gate.path in overwriting)
            replace_module(copy, copy.get_submodule(gate.path), constant)
            placed[gate.path] = constant, s
    try:
        seen = trace_neighbours(copy, images)
    except REJECTIONS as error:
        if is_out_of_memory(error):
            raise
        raise CannotFreeze(
            f"The network does not run with a constant instead of {', '.join(gate.path for gate in gates)}: "
            f"{error}. Other code may need what these modules contain."
        ) from error
    for gate in gates:
        runs, constant = seen.runs.count(placed[gate.path][0]), placed[gate.path][0]
        expected = sum(one.path == gate.path for one in gates)
        if runs != expected and not gate.threaded:
            raise CannotFreeze(
                f"The module {gate.path} of {gate.name} runs {runs} times in a pass and is a gate in {expected} of "
                "them, so it cannot be replaced by a constant."
            )
    folds = {path: find_fold(constant, s, seen) for path, (constant, s) in placed.items()}
    paths = {module: path for path, module in copy.named_modules()}
    how: dict[str, str] = {}
    for path, (constant, s) in placed.items():
        fold = folds[path]
        if bool((s == 1).all()):
            how[path], folds[path] = PASSES, None
            replace_module(copy, constant, Passing())
        else:
            how[path] = f"into {fold.into} {paths[fold.module]}" if fold else MULTIPLIES
    wrong = _fold(copy, {placed[path][0]: fold for path, fold in folds.items() if fold}, images, seen.output)
    return {path: MULTIPLIES if placed[path][0] in wrong else said for path, said in how.items()}


def _overwriting(copy: nn.Module, paths: Collection[str], images: Tensor) -> set[str]:
    """Return the paths of the modules that overwrite their first argument in a pass."""
    found: set[str] = set()
    taken: dict[str, Tensor] = {}

    def before(path: str, _module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        taken[path] = first_tensor(args, named).clone()

    def after(path: str, _module: nn.Module, args: tuple[Any, ...], named: dict[str, Any], _output: object) -> None:
        if not same_bits(taken.pop(path), first_tensor(args, named)):
            found.add(path)

    with ExitStack() as stack:
        for path in paths:
            module = copy.get_submodule(path)
            stack.callback(module.register_forward_pre_hook(partial(before, path), with_kwargs=True).remove)
            stack.callback(module.register_forward_hook(partial(after, path), with_kwargs=True).remove)
        with torch.no_grad():
            copy(images.clone())
    return found


def _fold(copy: nn.Module, folds: Mapping[ConstantGate, Fold], images: Tensor, expected: object) -> set[ConstantGate]:
    """Fold gates, and return those whose folding would change the output; these keep multiplying."""
    identities = {gate: Passing() for gate in folds}

    def put(chosen: Sequence[ConstantGate]) -> bool:
        for gate in chosen:
            folds[gate].apply()
            replace_module(copy, gate, identities[gate])
        if _says(copy, images, expected):
            return True
        for gate in reversed(chosen):
            folds[gate].undo()
            replace_module(copy, identities[gate], gate)
        return False

    if put(list(folds)):
        return set()
    return {gate for gate in folds if not put([gate])}


def _says(network: nn.Module, images: Tensor, expected: object) -> bool:
    try:
        with torch.no_grad():
            found = network(images.clone())
    except REJECTIONS as error:
        if is_out_of_memory(error):
            raise
        return False
    pairs = [numbers_of([one]) for one in (found, expected)]
    return len(pairs[0]) == len(pairs[1]) and all(_close(one, other) for one, other in zip(*pairs, strict=True))


def _close(found: Tensor, expected: Tensor) -> bool:
    if found.shape != expected.shape or not expected.numel():
        return found.shape == expected.shape
    if not (expected.is_floating_point() or expected.is_complex()):
        return torch.equal(found, expected)
    allowed = _TOLERANCE.get(expected.dtype, 1e-5) * expected.abs().max()
    return bool(((found - expected).abs() <= allowed).all())


def own_copy(network: nn.Module) -> nn.Module:
    """Return a copy that shares no weights, in eval mode, without the hooks of instruments.

    Raises:
        NotReadable: a part of the network cannot be copied.
    """
    try:
        copy = clone_sharing_weights(network, buffers=False)
        own: dict[int, nn.Parameter] = {}
        for module in copy.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    module._parameters[name] = own.setdefault(id(parameter), deepcopy(parameter))
    except Exception as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise
        # Parts of any kind may refuse to be copied, in any way.
        raise NotReadable(f"{type(network).__name__} cannot be copied ({error}), and only a copy is frozen.") from error
    return in_eval_mode(copy)


def in_eval_mode(network: nn.Module) -> nn.Module:
    """Set a private network to eval mode, and return it."""
    for module in network.modules():  # not eval(), in which some networks rewrite weights
        module.training = False
    return network


def replace_module(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Replace a module of a private network under all of its names."""
    for parent in list(network.modules()):
        for name, child in list(parent._modules.items()):
            if child is old:
                setattr(parent, name, new)
