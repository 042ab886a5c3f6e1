"""Outputs of a network for a batch of images, without edits and with each of several edits; common parts run once.

An edit whose first gate is g starts at g: what ran before is kept from a pass without edits, see ``Replay``. From one
gate to the next the network runs once more, so that only what belongs to one gate is in memory at a time. Where a
network cannot start at a gate, and where its gates cannot be told apart in a part of a pass, whole passes are made.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from se_viz.device.memory import is_out_of_memory, raise_if_full
from se_viz.gates.capture_buffer import Replacement
from se_viz.gates.errors import NotReadable
from se_viz.gates.forward_pass import Pass, read
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.output import to_host
from se_viz.gates.random_state import keeping_random_state
from se_viz.gates.refusals import REJECTIONS
from se_viz.gates.trace import placement
from se_viz.interventions.edits import Edits, Sources, resolve
from se_viz.interventions.recorder import Kept, Output, OutputRecorder, Reached
from se_viz.interventions.replay import Replay
from se_viz.interventions.suffix import TOLERANCE, private_network
from se_viz.profiles.shard_writer import ForwardScheduler, run_now
from se_viz.types import AnyFloats, Float32s
from se_viz.weights.output_shape import table

_NOTHING: frozenset[str] = frozenset()
_Result = TypeVar("_Result")


class EditedPasses:
    """Outputs of a network under edits.

    Attributes:
        whole: numbers of the edits for which whole passes are made; those that turn out to need them are added.

    Args:
        instrument: the network.
        edits: numbers, arrays, ``shuffle`` or ``scale`` by gate.
        turn: runs each forward pass.
    """

    def __init__(self, instrument: Instrument, edits: Sequence[Edits], turn: ForwardScheduler = run_now) -> None:
        self._instrument = instrument
        self._edits = edits
        self._turn = turn
        self._place = placement(instrument.network)
        shared = Counter(gate.path for gate in instrument.gates)
        # Those whose runs are told apart without counting what ran before, which a part of a pass does not run.
        self._plain = {
            gate.name
            for gate in instrument.gates
            if gate.product is None and not gate.run and shared[gate.path] == 1 and not gate.threaded
        }
        # Edits by the gate at which they begin, and those that take a whole pass.
        self._groups: dict[str, list[int]] = {}
        self.whole: set[int] = set()
        for number, edit in enumerate(edits):
            edited = [gate for gate in instrument.gates if gate.name in edit]
            if edited[0].threaded or not {gate.name for gate in edited[1:]} <= self._plain:
                self.whole.add(number)
            else:
                self._groups.setdefault(edited[0].name, []).append(number)
        self._copy: nn.Module | None = None
        self._fragile: dict[str, Collection[Output]] = {}
        self._learn()

    def _learn(self) -> None:
        try:
            with self._instrument.attached():
                self._copy = private_network(self._instrument.network) if self._groups else None
        except NotReadable:
            self._make_whole(self._groups)

    def _make_whole(self, gates: Collection[str]) -> None:
        for gate in list(gates):
            self.whole.update(self._groups.pop(gate, ()))

    def __call__(self, images: Tensor) -> tuple[Float32s, list[Float32s]]:
        """Return the outputs (N, K) for preprocessed images (N, 3, H, W), and those with each edit.

        Raises:
            GatesChanged, NotAnImageModel: see ``capture``.
            NotReadable: the network returns no table of outputs.
            DeviceFull: the device has no room for the batch.
        """
        device = self._place[0]
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            keeping_random_state(device),
            raise_if_full(
                device, f"a batch of {len(images)} images and the outputs kept of its pass (use a smaller batch)"
            ),
        ):
            images = images.to(*self._place)
            plain = self._read(self._instrument, images)
            outputs, s = self._table(plain.output, len(images)), plain.s
            sources = Sources(len(images), lambda gate: s[gate], _unresolved, _unresolved)
            replacements = [resolve(edit, self._instrument.gates, sources) for edit in self._edits]
            found = self._started_at_gates(images, outputs, s, replacements)
            for number in sorted(self.whole):
                found[number] = self._table(
                    self._read(self._instrument, images, replacements[number]).output, len(images)
                )
            return outputs, [found[number] for number in range(len(self._edits))]

    def _read(self, instrument: Instrument, images: Tensor, edits: Mapping[str, Replacement] | None = None) -> Pass:
        # A copy of the images, as a network may work on its input in place.
        found: Pass = self._turn(lambda: read(instrument, images.clone(), _NOTHING, edits))
        return found

    def _table(self, output: object, images: int) -> Float32s:
        found = table(to_host(output), images)
        if found is None:
            raise NotReadable(
                f"{type(self._instrument.network).__name__} returns no table of outputs (N, K), so that there is no "
                "answer to compare. Wrap it in a module that returns its logits."
            )
        return found

    def _started_at_gates(
        self,
        images: Tensor,
        outputs: Float32s,
        s: Mapping[str, AnyFloats],
        replacements: Sequence[Mapping[str, Replacement]],
    ) -> dict[int, Float32s]:
        """Return the outputs of edits that start at their first gate; edits that cannot are added to ``whole``."""
        found: dict[int, Float32s] = {}
        order = [gate for gate in self._instrument.gates if gate.name in self._groups]
        kept: Kept | None = None
        for gate, following in zip(order, [*order[1:], None], strict=False):
            copy = self._copy
            if copy is None:
                break
            kept = kept or self._recorded(copy, gate, images)
            weights = torch.from_numpy(np.asarray(s[gate.name])).to(*self._place)
            replay = None if kept is None else self._replay(copy, gate, kept, images, weights, outputs)
            kept = None
            if replay is None:
                self._make_whole((gate.name,))
                continue
            try:
                part = {
                    number: self._edited(replay, copy, gate, weights, replacements[number])
                    for number in self._groups[gate.name]
                }
                if following is not None and following.name in self._plain:
                    kept = self._recorded_on(replay, copy, following, weights)
                intact = replay.is_intact()
            finally:
                replay.undo()
            if not intact or any(one is None for one in part.values()):
                self._make_whole((gate.name,))
                kept = None
                continue
            found |= {number: one for number, one in part.items() if one is not None}
        return found

    def _recorded(self, copy: nn.Module, gate: Gate, images: Tensor) -> Kept | None:
        """Record a pass of the images up to a gate."""

        def record() -> Kept | None:
            recorder = OutputRecorder(copy, gate, stop=gate.name in self._plain)
            instrument = Instrument(copy, (gate,))
            # The recorder before the instrument, which then sees a call first: the gate's own is not counted.
            with suppress(Reached), recorder, instrument.capturing(_NOTHING) as sink, recorder.recording(sink):
                copy(images.clone())
            return recorder.kept()

        return self._attempt(record)

    def _recorded_on(self, replay: Replay, copy: nn.Module, gate: Gate, s: Tensor) -> Kept | None:
        """Record a pass up to a gate that starts at an earlier gate."""

        def record() -> Kept | None:
            recorder = OutputRecorder(copy, gate, stop=True)
            with recorder, recorder.recording(None), suppress(Reached):
                replay(s, torch.arange(len(s)))
            return recorder.kept()

        return self._attempt(record)

    def _replay(
        self, copy: nn.Module, gate: Gate, kept: Kept, images: Tensor, s: Tensor, outputs: Float32s
    ) -> Replay | None:
        """Return the network from a gate on; None if its output differs from that of the whole network."""
        known = self._fragile.get(gate.name)
        replay = Replay(copy, gate, kept, images, known or ())
        if known is not None:
            return replay
        again = self._attempt(lambda: table(to_host(replay.learn(s)), len(images)))
        allowed = TOLERANCE.get(self._place[1], 1e-5) * np.abs(outputs).max(initial=0)
        if again is None or again.shape != outputs.shape or not (np.abs(again - outputs) <= allowed).all():
            replay.undo()
            return None
        self._fragile[gate.name] = replay.fragile
        return replay

    def _edited(
        self, replay: Replay, copy: nn.Module, gate: Gate, s: Tensor, edits: Mapping[str, Replacement]
    ) -> Float32s | None:
        others = tuple(other for other in self._instrument.gates if other.name in edits and other.name != gate.name)
        applied = edits[gate.name](s, 0).to(s)

        def run() -> Float32s | None:
            # Made here, as an instrument knows the functions that a module has, and the replay has put others there.
            capturing = Instrument(copy, others).capturing(_NOTHING, edits) if others else nullcontext()
            with capturing as sink:
                output = replay(applied, torch.arange(len(s)))
            if sink is not None and any(other.name not in sink.applied for other in others):
                return None
            return table(to_host(output), len(s))

        return self._attempt(run)

    def _attempt(self, work: Callable[[], _Result]) -> _Result | None:
        """Return the result of a partial pass; None if the network cannot run in parts."""

        def guarded() -> _Result | None:
            try:
                return work()
            except REJECTIONS as error:  # of which those of an instrument are some
                if is_out_of_memory(error):
                    raise
                return None

        result: _Result | None = self._turn(guarded)
        return result


def _unresolved(*_what: object) -> AnyFloats:
    raise AssertionError("Means and other images are looked up before a pass.")
