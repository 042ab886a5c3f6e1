"""X̃' = s' · U: a gate that multiplies by other excitation weights than it computes."""

from collections.abc import Callable, MutableMapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from se_viz.gates.capture_buffer import CaptureBuffer, Taken
from se_viz.gates.direct_edit import may_be_direct, multiplies_directly
from se_viz.gates.errors import InputOverwritten
from se_viz.gates.gate import Gate, Layout, ProductTap
from se_viz.gates.trace import first_tensor
from se_viz.gates.transforms import mapped_as, unmapped
from se_viz.weights.tensor_kinds import beside


def wide(s: Tensor, layout: Layout) -> Tensor:
    """Return s (N, C) in the shape in which it multiplies maps."""
    return s[:, :, None, None] if layout == "nchw" else s[:, None, None, :]


def maps_of(product: ProductTap, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Return the maps U among the arguments of a call that multiplies them by a factor."""
    return unmapped([leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)][product.u])


def made_by(product: ProductTap, args: tuple[Any, ...], result: object) -> Tensor | None:
    """Return X̃ among what such a call returned, or wrote to its first argument; None if it is not there."""
    leaves = tree_leaves(args[0] if result is None and args else result)
    made = [unmapped(leaf) for leaf in leaves if isinstance(leaf, Tensor)]
    return made[product.item] if product.item < len(made) else None


def with_factor(
    product: ProductTap, layout: Layout, s: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call that multiplies maps by a factor, with another factor: s (N, C)."""
    leaves, structure = tree_flatten((args, kwargs))
    places = [at for at, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    at = places[product.s]
    taken, maps = leaves[at], unmapped(leaves[places[product.u]])
    factor = unmapped(taken)
    given = wide((1 / s if product.divides else s).to(factor.dtype), layout)
    given = given.reshape(factor.shape) if factor.numel() == s.numel() else given.expand(maps.shape)
    leaves[at] = beside(mapped_as(given, taken), taken)
    changed: tuple[tuple[Any, ...], dict[str, Any]] = tree_unflatten(leaves, structure)
    return changed


def put_edit_hooks(
    unit: nn.Module,
    gate: Gate,
    stack: ExitStack,
    sink_of: Callable[[], CaptureBuffer | None],
    owner: object,
    intact: MutableMapping[str, bool],
    direct: MutableMapping[str, bool],
) -> None:
    """Put hooks on a gate that is a module, which return s' · U where the reader of the pass edits the gate.

    A gate may overwrite U, so its first edited pass works on a copy of U, and finds out. Later passes need no copy of a
    gate that leaves U as it is, and write s' · U into the tensor that the gate returned: a copy and a new tensor for
    each gate would make the memory of a pass grow, which costs several times what the multiplication costs. The second
    edited pass finds out whether s' can be put in the place of s, so that these hooks are not needed.

    Args:
        unit, gate: the module, and the gate that it is.
        stack: what removes the hooks.
        sink_of: returns the buffer of the running pass.
        owner: the instrument whose passes are edited.
        intact: whether a gate leaves U as it is, by name, as far as it is known; the hooks add to it.
        direct: whether a gate multiplies U by what the module that returns s returns; the hooks add to it.
    """

    def sink_in_this_run() -> CaptureBuffer | None:
        sink = sink_of()
        if sink is None or sink.owner is not owner or gate.name not in sink.edits or gate.name in sink.applied:
            return None
        frame = sink.innermost((gate.path,)) if gate.scoped else None
        return sink if not gate.scoped or (frame is not None and frame.run == gate.run) else None

    def before(_module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        sink, maps = sink_in_this_run(), first_tensor(args, kwargs)
        if sink is not None and isinstance(maps, Tensor):
            copied = maps.is_inference() or not intact.get(gate.name)
            sink.inputs[gate.name] = Taken(maps, 0 if copied else maps._version, maps.clone() if copied else None)

    def after(_module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], output: object) -> Tensor | None:
        sink = sink_in_this_run()
        if sink is None or gate.s_tap is None:
            return None
        s, taken = sink.kept.get((gate.name, "s")), sink.inputs.pop(gate.name, None)
        if s is None or taken is None or s.numel() % len(taken.maps):
            return None  # the gate took another way, which is said when the pass is over
        with torch._C.DisableTorchFunction():  # calls of the network alone are counted
            if gate.name in intact and gate.name not in direct:
                direct[gate.name] = may_be_direct(gate) and multiplies_directly(sink, gate, unit, args, kwargs)
            if gate.s_tap.padded or s.shape != (len(taken.maps), gate.channels):
                s = gate.s_tap.finish(s, len(taken.maps), gate.channels)
            applied = sink.replace(gate.name, s)
            factor = beside(wide(applied, gate.layout).to(taken.maps.dtype), taken.maps)
            if taken.copy is not None:
                overwritten = not same_bits(taken.copy, taken.maps)
                if gate.name not in intact and not taken.maps.is_inference():
                    intact[gate.name] = not overwritten
                edited = taken.copy.mul_(factor)
                if overwritten and isinstance(output, Tensor) and same_bits(output, taken.maps):
                    taken.maps.copy_(edited)  # X̃ is in the place of U, with which the block may go on
            elif taken.maps._version == taken.version:
                edited = torch.mul(taken.maps, factor, out=_room(output, taken.maps))
            else:
                intact[gate.name] = False
                raise InputOverwritten(f"{gate.name} at {gate.path} overwrote its input, which it had not done before.")
        if gate.name in sink.maps:
            # Here and not by the hook that reads X̃, which may come before this one.
            sink.kept[gate.name, "x"] = edited.clone()
        return edited

    stack.callback(unit.register_forward_pre_hook(before, with_kwargs=True).remove)
    stack.callback(unit.register_forward_hook(after, prepend=True, with_kwargs=True).remove)


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors have the same numbers; NaN is the same as NaN."""
    return a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())


def _room(output: object, maps: Tensor) -> Tensor | None:
    """Return what a gate returned if s' · U can be written into it: a tensor like U that shares no memory."""
    if not isinstance(output, Tensor) or output.is_inference() or output.requires_grad:
        return None
    storage = output.untyped_storage()
    fits = (
        (output.shape, output.stride(), output.dtype) == (maps.shape, maps.stride(), maps.dtype)
        and output.device == maps.device
        and storage.data_ptr() != maps.untyped_storage().data_ptr()
        and storage.nbytes() == output.numel() * output.itemsize
    )
    return output if fits else None
