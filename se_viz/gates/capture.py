"""Reading z and s of every gate, and U and X̃ of the requested gates."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from se_viz.device.memory import device_full_error, is_out_of_memory, release
from se_viz.former_names import with_former_fields
from se_viz.gates.capture_buffer import Replacement
from se_viz.gates.errors import GatesChanged, InputOverwritten
from se_viz.gates.finite import not_finite, what_is_in
from se_viz.gates.forward_pass import Pass, read
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.instrument_cache import forget, instrument_of
from se_viz.gates.output import joined
from se_viz.gates.random_state import keeping_random_state
from se_viz.gates.refusals import check_readable, require_images
from se_viz.gates.tensor_memory import same_storage
from se_viz.gates.trace import Placement, placement
from se_viz.gates.value_places import OUTPUT
from se_viz.types import Float32s
from se_viz.weights.tensor_kinds import array_of


@dataclass(frozen=True, slots=True)
class GateCapture:
    """The values of one gate for N images, float32.

    Attributes:
        gate: the gate.
        z: squeeze descriptor, eq. 2 (N, C); None if s was not seen to come from one squeeze of U alone.
        s: excitation weights, eq. 3 (N, C).
        u: feature maps U that enter the gate (N, C, H, W); None if they were not requested.
        x: recalibrated maps X̃ = s · U, eq. 4 (N, C, H, W); None if they were not requested.
        edited: weights that multiplied U in place of s (N, C), if the gate was edited; otherwise None.
    """

    gate: Gate
    z: Float32s | None
    s: Float32s
    u: Float32s | None = None
    x: Float32s | None = None
    edited: Float32s | None = None

    @property
    def s_applied(self) -> Float32s:
        """Weights that multiplied U (N, C): s, or the weights that an edit put in its place."""
        return self.s if self.edited is None else self.edited


class _GatesOfPass(Mapping[str, GateCapture]):
    """The values of the gates of one pass by name, each made when it is first asked for."""

    def __init__(self, of: Pass) -> None:
        self._pass = of
        self._gates = {gate.name: gate for gate in of.gates}
        self._made: dict[str, GateCapture] = {}

    def __getitem__(self, name: str) -> GateCapture:
        if name not in self._made:
            tables, u, x = self._pass.tables, self._pass.u.get(name), self._pass.x.get(name)
            gate, z, s = self._gates[name], tables.get((name, "z")), tables[name, "s"]
            # Another thread may have made it meanwhile.
            self._made.setdefault(name, GateCapture(gate, z, s, u, x, tables.get((name, "applied"))))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._gates)

    def __len__(self) -> int:
        return len(self._gates)

    def __repr__(self) -> str:
        return f"<values of {', '.join(self._gates)}>"

    def are_finite(self, output: object) -> bool:
        """Return whether all numbers of the gates, and those of the output of the network, are finite."""
        of = self._pass
        if not of.tables.are_finite() or not all(np.isfinite(maps).all() for maps in (*of.u.values(), *of.x.values())):
            return False
        return (output is of.output and OUTPUT in of.tables) or not what_is_in([output])


@with_former_fields
@dataclass(frozen=True, slots=True)
class Capture:
    """The values of all gates for N images.

    Attributes:
        gates: a ``GateCapture`` for each gate by name, in execution order.
        images: N.
        output: the output of the network, on the CPU and without gradients.
    """

    gates: Mapping[str, GateCapture]
    images: int
    output: object

    @property
    def logits(self) -> Float32s | None:
        """The network's output if it is one table (N, K), float32; otherwise None."""
        output = self.output
        if isinstance(output, Tensor):
            array = array_of(output)  # sparse and quantised tables are tables, too
            output = None if array is None else array.astype(np.float32, copy=False)
        if isinstance(output, np.ndarray) and output.ndim == 2 and len(output) == self.images:
            return output
        return None

    @property
    def not_finite(self) -> str:
        """A sentence on the values that are NaN or infinite, first gate first; empty if all values are finite."""
        # This runs at every capture, so tables that come from one array are checked as one array.
        if isinstance(self.gates, _GatesOfPass) and self.gates.are_finite(self.output):
            return ""
        read = {one.gate.name: {"z": one.z, "s": one.s, "U": one.u, "X̃": one.x} for one in self}
        return not_finite(read, self.output, self.images, [one.gate.name for one in self if one.edited is not None])

    def __getitem__(self, name: str) -> GateCapture:
        """Return the values of a gate, for instance ``capture["SE_4_2"]``.

        Raises:
            KeyError: no gate has this name; the message lists the names.
        """
        try:
            return self.gates[name]
        except KeyError:
            raise KeyError(f"There is no gate {name!r}: choose one of {', '.join(self.gates)}.") from None

    def __iter__(self) -> Iterator[GateCapture]:
        """Iterate over the gates' values in execution order."""
        return iter(self.gates.values())

    def __len__(self) -> int:
        """Return the number of gates; the number of images is ``capture.images``."""
        return len(self.gates)


def read_gates(
    network: Instrument | nn.Module,
    images: Tensor,
    maps: Collection[str | Gate] | None = None,
    *,
    batch: int = 32,
    edits: Mapping[str, Replacement] | None = None,
) -> Capture:
    """Run preprocessed images (N, 3, H, W) through a network and read its gates, see ``se_viz.capture``."""
    require_images(images)
    if not isinstance(batch, int) or batch < 1:
        raise ValueError(f"batch must be a whole number of images, 1 or more, not {batch!r}.")
    height, width = images.shape[2:]
    asked = [maps] if isinstance(maps, str | Gate) else maps or ()
    wanted = frozenset(gate.name if isinstance(gate, Gate) else gate for gate in asked)
    if not isinstance(network, Instrument):
        check_readable(network)
    weights = placement(network.network if isinstance(network, Instrument) else network)
    with keeping_random_state(weights[0]):
        if isinstance(network, Instrument):
            return _captured(network, images, wanted, batch, weights, edits or {})
        instrument = instrument_of(network, (height, width))
        try:
            return _captured(instrument, images, wanted, batch, weights, edits or {})
        except GatesChanged:
            # State kept from the first pass, or a hook added since, may have changed which calls the network makes.
            forget(network)
            again = instrument_of(network, (height, width))
            return _captured(again, images, wanted, batch, weights, edits or {})


def _captured(
    instrument: Instrument,
    images: Tensor,
    maps: frozenset[str],
    batch: int,
    weights: Placement,
    edits: Mapping[str, Replacement],
) -> Capture:
    """Read the gates of an instrument; raise as ``capture`` does."""
    gates = instrument.gates
    unknown = maps - {gate.name for gate in gates}
    if unknown:
        raise KeyError(
            f"There is no gate {', '.join(sorted(unknown))}: choose from {', '.join(gate.name for gate in gates)}."
        )
    # A network may keep a tensor of its pass, and a tensor of inference mode cannot be used in training.
    with torch.inference_mode(False):
        parts = _in_batches(instrument, images, maps, batch, weights, edits)
    captures: Mapping[str, GateCapture]
    if len(parts) == 1:
        captures = _GatesOfPass(parts[0])
    else:
        z, s, u, x, edited = (_joined([getattr(p, what) for p in parts]) for what in ("z", "s", "u", "x", "applied"))
        captures = {
            g.name: GateCapture(g, z.get(g.name), s[g.name], u.get(g.name), x.get(g.name), edited.get(g.name))
            for g in gates
        }
    output = joined([part.output for part in parts], [part.images for part in parts])
    return Capture(captures, len(images), output)


def _joined(parts: Sequence[Mapping[str, Float32s]]) -> Mapping[str, Float32s]:
    """Return the arrays of several batches by gate, concatenated."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _in_batches(
    instrument: Instrument,
    images: Tensor,
    maps: frozenset[str],
    batch: int,
    weights: Placement,
    edits: Mapping[str, Replacement],
) -> list[Pass]:
    """Return what ``read`` gives for each batch in turn; halve the batch size whenever the device runs out of memory.

    Raises:
        DeviceFull: the device has not enough memory for a single image.
    """
    parts: list[Pass] = []
    done = 0
    while done < len(images):
        rest = images if batch >= len(images) else images[done : done + batch]
        part = _attempt(instrument, rest, maps, weights, edits, done)
        if part is not None:
            parts.append(part)
            done += batch
            continue
        # At this point no traceback keeps the tensors of the attempt alive.
        device = weights[0]
        release(device)
        batch = min(batch, len(images) - done) // 2
        if not batch:
            shape = " × ".join(map(str, images.shape[1:]))
            raise device_full_error(device, f"one image of {shape} in {type(instrument.network).__name__}")
    return parts


def _attempt(
    instrument: Instrument,
    images: Tensor,
    maps: frozenset[str],
    weights: Placement,
    edits: Mapping[str, Replacement],
    start: int,
) -> Pass | None:
    """Return the values of one forward pass, or None if the device has not enough memory for it."""

    def run() -> Pass:
        moved = images.to(*weights)
        # A network may modify its input in place.
        moved = moved.clone() if moved is images or same_storage(moved, images) else moved
        return read(instrument, moved, maps, edits, start)

    try:
        try:
            return run()
        except InputOverwritten:
            return run()
    except RuntimeError as error:
        if is_out_of_memory(error):
            return None
        raise
