"""Edits at the module that returns s: the gate itself then multiplies U by s', and nothing is computed twice.

Whether a gate does so is found out by a run of its module with other weights, once, and only for known classes, whose
code is known: a gate found by search may treat weights of another range differently. For all other gates s' · U is
computed in a hook after the gate, see ``edited_product``.
"""

from typing import Any

import torch
from torch import Tensor, nn

from se_viz.gates.capture_buffer import CaptureBuffer
from se_viz.gates.gate import Gate
from se_viz.weights.tensor_kinds import beside

# Far beyond what a gate function returns, and negative: a gate that limits s would show here.
_SMALLEST, _LARGEST = -8.0, 8.0


def may_be_direct(gate: Gate) -> bool:
    """Return whether it is worth a run to find out if a gate multiplies by what the module that returns s returns."""
    tap = gate.s_tap
    return (
        gate.found_by == "class"
        and tap is not None
        and tap.side == "output"
        and tap.path != ""
        and not (tap.padded or gate.scoped or gate.threaded or gate.run)
    )


def put_in_place(sink: CaptureBuffer, gate: Gate, output: Tensor) -> Tensor:
    """Return weights in the shape of the output of the module that returns s: s', kept as applied."""
    with torch._C.DisableTorchFunction():  # calls of the network alone are counted
        s = output if output.shape[1:] == (gate.channels,) else output.reshape(-1, gate.channels)
        return beside(sink.replace(gate.name, s).reshape(output.shape).to(output.dtype), output)


def multiplies_directly(
    sink: CaptureBuffer, gate: Gate, unit: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> bool:
    """Return whether the module of a gate, run once more, multiplies U by weights put in the place of s.

    Args:
        sink: the buffer of the pass that is running; the run leaves its values as they are.
        gate: a gate that ``may_be_direct``.
        unit: the module of the gate.
        args, kwargs: what the pass has called the module with.
    """
    if kwargs or not args or not isinstance(args[0], Tensor):
        return False
    maps = torch.linspace(-3, 3, args[0].numel(), device=args[0].device).to(args[0].dtype).view(args[0].shape)
    weights = torch.linspace(_SMALLEST, _LARGEST, len(maps) * gate.channels, device=maps.device)
    weights = weights.view(len(maps), gate.channels).to(maps.dtype)
    wide = weights[:, :, None, None] if gate.layout == "nchw" else weights[:, None, None, :]
    expected = maps * wide
    edits, applied = sink.edits, sink.applied
    sink.edits, sink.applied, sink.trial = {gate.name: lambda _s, _start: weights}, {}, True
    try:
        found = unit.forward(maps, *args[1:])
        taken = gate.name in sink.applied
    except (RuntimeError, TypeError, ValueError):
        return False
    finally:
        sink.edits, sink.applied, sink.trial = edits, applied, False
    return taken and isinstance(found, Tensor) and torch.equal(found, expected)
