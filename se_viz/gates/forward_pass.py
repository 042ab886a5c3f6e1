"""One forward pass of a network whose gates are read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor, nn

from se_viz.device.memory import is_out_of_memory
from se_viz.gates.capture_buffer import CaptureBuffer, Replacement, What
from se_viz.gates.errors import GatesChanged, InstrumentError, NotAnImageModel
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.output import to_host
from se_viz.gates.refusals import REJECTIONS, refuse_compiled
from se_viz.gates.tables import TableKey, Tables, numbers
from se_viz.gates.value_places import OUTPUT
from se_viz.types import Float32s
from se_viz.weights.tensor_kinds import is_dense


@dataclass(frozen=True, slots=True)
class Pass:
    """The values that a forward pass of N images has read, float32.

    Attributes:
        images: N.
        gates: the gates that were read.
        tables: z and s of the gates, and the weights that multiplied U in place of s.
        u, x: U and X̃ (N, C, H, W) of the requested gates.
        output: the output of the network, on the CPU.
    """

    images: int
    gates: tuple[Gate, ...]
    tables: Tables
    u: Mapping[str, Float32s]
    x: Mapping[str, Float32s]
    output: object

    @property
    def z(self) -> Mapping[str, Float32s]:
        """Squeeze descriptors (N, C) by gate, for the gates that have one."""
        return self.tables.of_kind("z")

    @property
    def s(self) -> Mapping[str, Float32s]:
        """Excitation weights (N, C) by gate."""
        return self.tables.of_kind("s")

    @property
    def applied(self) -> Mapping[str, Float32s]:
        """Weights that multiplied U in place of s (N, C), of the edited gates."""
        return self.tables.of_kind("applied")


def read(
    instrument: Instrument,
    images: Tensor,
    maps: frozenset[str],
    edits: Mapping[str, Replacement] | None = None,
    start: int = 0,
) -> Pass:
    """Run images through a network once and read its gates.

    Args:
        instrument: the network and its gates.
        images: (N, 3, H, W), on the network's device and of its type.
        maps: names of the gates whose U and X̃ are kept.
        edits: functions that replace s, by gate name.
        start: position of the first image among all images of the call.

    Raises:
        NotAnImageModel: the network rejects the images.
        GatesChanged: a gate did not run as it did when it was found.
        InputOverwritten: an edited gate overwrote U for the first time; another pass copies U before.
        RuntimeError: the device is out of memory, see ``device.memory.is_out_of_memory``.
    """
    count = len(images)
    # Grad mode belongs to a thread, so it is set here and not once for the network. Inference mode is not used: tensors
    # that a module keeps from its first pass (a grid, a lazy parameter) could not be trained afterwards.
    with torch.no_grad():
        told = refusals_told(instrument.network, images)
        places = None if edits else instrument.value_places.take(count)
        with instrument.capturing(maps, edits, start, places.by_key if places else {}) as sink, told:
            output = sink.network(images)
        tables = places.tables(sink.kept, output) if places else None
        if places and tables:
            instrument.value_places.give(count, places)
        else:
            tables = _tables(instrument.gates, sink, output, count)
            if not edits:
                instrument.value_places.give_like(count, tables, sink.kept, output)
        return Pass(
            images=count,
            gates=instrument.gates,
            tables=tables,
            u={gate.name: _maps(sink, gate, "u", count) for gate in instrument.gates if gate.name in maps},
            x={gate.name: _maps(sink, gate, "x", count) for gate in instrument.gates if gate.name in maps},
            output=torch.from_numpy(tables[OUTPUT]) if OUTPUT in tables else to_host(output),
        )


def _tables(gates: tuple[Gate, ...], sink: CaptureBuffer, output: object, images: int) -> Tables:
    """Return z and s of the gates, the weights put in place of s, and the output of the network if it is a table."""
    found: dict[TableKey, Tensor] = {}
    for gate in gates:
        if gate.has_z:
            found[gate.name, "z"] = descriptor(sink, gate, "z", images)
        found[gate.name, "s"] = descriptor(sink, gate, "s", images)
        if gate.name in sink.edits:
            found[gate.name, "applied"] = _applied(sink, gate)
    if _is_table(output, found[gates[0].name, "s"]):
        found[OUTPUT] = output
    return Tables.of(found)


@contextmanager
def refusals_told(network: nn.Module, images: Tensor) -> Iterator[None]:
    """Raise NotAnImageModel with the shape of the images for an error that a network raises inside the block."""
    try:
        yield
    except InstrumentError:
        raise
    except REJECTIONS as error:
        if is_out_of_memory(error):
            raise
        refuse_compiled(network, error)
        name, said = type(network).__name__, str(error).strip().partition("\n")[0] or type(error).__name__
        raise NotAnImageModel(f"{name} does not take images of shape {tuple(images.shape)}: {said}") from error


def _is_table(output: object, s: Tensor) -> TypeGuard[Tensor]:
    """Return whether the output of a network is a table that can be copied together with s."""
    return (
        isinstance(output, Tensor)
        # A subclass may have no array; on another device it comes with the transfer of the others.
        and (type(output) in (Tensor, nn.Parameter) or not output.is_cpu)
        and is_dense(output)
        and output.ndim == 2
        and output.dtype is torch.float32
        and output.device == s.device
    )


def descriptor(sink: CaptureBuffer, gate: Gate, what: What, images: int) -> Tensor:
    """Return z or s (N, C) of a gate."""
    value = sink.kept.get((gate.name, what))
    tap = gate.z_tap if what == "z" else gate.s_tap
    if value is not None and tap is not None and not tap.padded and value.shape[:2] == (images, gate.channels):
        # The case of nearly all gates, kept fast because every gate passes here.
        if value.ndim == 2:
            return value
        if value.numel() == images * gate.channels:
            return value.view(images, gate.channels) if value.is_contiguous() else value.reshape(images, -1)
    call = gate.z_call if what == "z" else gate.product.call if gate.product else None
    if value is None or value.numel() % images or (call is not None and not sink.agrees(call)):
        raise _changed(gate)
    finished = value.reshape(images, -1) if tap is None else tap.finish(value, images, gate.channels)
    if finished.shape[1] != gate.channels:
        raise _changed(gate)
    return finished


def _applied(sink: CaptureBuffer, gate: Gate) -> Tensor:
    """Return the weights (N, C) that replaced s of a gate."""
    if gate.name not in sink.applied:
        raise _changed(gate)
    return sink.applied[gate.name]


def _maps(sink: CaptureBuffer, gate: Gate, what: What, images: int) -> Float32s:
    """Return U or X̃ (N, C, H, W) of a gate."""
    value = sink.kept.get((gate.name, what))
    if value is None or value.ndim != 4 or len(value) != images:
        raise _changed(gate)
    value = numbers(value)
    ordered = value if gate.layout == "nchw" else value.movedim(-1, 1)
    maps: Float32s = ordered.float().cpu().contiguous().numpy()
    return maps


def _changed(gate: Gate) -> GatesChanged:
    return GatesChanged(
        f"{gate.name} at {gate.path or 'the network itself'} did not run as it did when it was found: the network "
        "runs other code for these images, or has been changed since. Find its gates again at the size of these images."
    )
