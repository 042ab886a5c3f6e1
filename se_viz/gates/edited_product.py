"""X̃' = s' · U: a gate that multiplies by other excitation weights than it computes."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from se_viz.gates.capture_buffer import CaptureBuffer
from se_viz.gates.gate import Gate, Layout, ProductTap
from se_viz.gates.trace import first_tensor


def wide(s: Tensor, layout: Layout) -> Tensor:
    """Return s (N, C) in the shape in which it multiplies maps."""
    return s[:, :, None, None] if layout == "nchw" else s[:, None, None, :]


def maps_of(product: ProductTap, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Return the maps U among the arguments of a call that multiplies them by a factor."""
    return [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)][product.u]


def with_factor(
    product: ProductTap, layout: Layout, s: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call that multiplies maps by a factor, with another factor: s (N, C)."""
    leaves, structure = tree_flatten((args, kwargs))
    places = [at for at, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    at = places[product.s]
    factor, maps = leaves[at], leaves[places[product.u]]
    given = wide((1 / s if product.divides else s).to(factor.dtype), layout)
    leaves[at] = given.reshape(factor.shape) if factor.numel() == s.numel() else given.expand(maps.shape)
    changed: tuple[tuple[Any, ...], dict[str, Any]] = tree_unflatten(leaves, structure)
    return changed


def put_edit_hooks(
    network: nn.Module,
    gates: Iterable[Gate],
    stack: ExitStack,
    sink_of: Callable[[], CaptureBuffer | None],
    owner: object,
) -> None:
    """Put hooks on gates that are modules, which return s' · U where the reader of the pass edits the gate."""
    for gate in gates:
        if gate.s_tap is not None:
            _put(network.get_submodule(gate.path), gate, stack, sink_of, owner)


def _put(
    unit: nn.Module, gate: Gate, stack: ExitStack, sink_of: Callable[[], CaptureBuffer | None], owner: object
) -> None:
    def sink_in_this_run() -> CaptureBuffer | None:
        sink = sink_of()
        if sink is None or sink.owner is not owner or gate.name not in sink.edits or gate.name in sink.applied:
            return None
        frame = sink.innermost((gate.path,)) if gate.scoped else None
        return sink if not gate.scoped or (frame is not None and frame.run == gate.run) else None

    def before(_module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        sink, maps = sink_in_this_run(), first_tensor(args, kwargs)
        if sink is not None and isinstance(maps, Tensor):
            sink.inputs[gate.name] = maps.clone()  # the gate may work in place

    def after(_module: nn.Module, _args: object, _output: object) -> Tensor | None:
        sink = sink_in_this_run()
        if sink is None or gate.s_tap is None:
            return None
        s, maps = sink.kept.get((gate.name, "s")), sink.inputs.pop(gate.name, None)
        if s is None or maps is None or s.numel() % len(maps):
            return None  # the gate took another way, which is said when the pass is over
        with torch._C.DisableTorchFunction():  # calls of the network alone are counted
            applied = sink.replace(gate.name, gate.s_tap.finish(s, len(maps), gate.channels))
            edited = maps.mul_(wide(applied, gate.layout).to(maps.dtype))  # in place: the copy is of this pass alone
        if gate.name in sink.maps:
            # Here and not by the hook that reads X̃, which may come before this one.
            sink.kept[gate.name, "x"] = edited.clone()
        return edited

    stack.callback(unit.register_forward_pre_hook(before, with_kwargs=True).remove)
    stack.callback(unit.register_forward_hook(after, prepend=True).remove)
