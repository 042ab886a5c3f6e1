"""A buffer for the values that one forward pass reads, kept until the pass is over."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any, Literal, TypeAlias

from torch import Tensor, nn

from se_viz.gates.gate import CallTap
from se_viz.gates.tables import TableKey
from se_viz.gates.value_places import fits
from se_viz.gates.values import Frame
from se_viz.weights.tensor_kinds import unwrapped

# The values that are read from a gate: squeeze descriptor, excitation weights, U and X̃.
What: TypeAlias = Literal["z", "s", "u", "x"]
Key: TypeAlias = tuple[str, What]

# A function of s (N, C) as computed, and of the position of its first image in the call; it returns the weights (N, C)
# that multiply U in place of s.
Replacement: TypeAlias = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True, slots=True)
class Taken:
    """The input of an edited gate that is running.

    Attributes:
        maps: U.
        version: number of the operations in place on U before the gate ran; used without a copy.
        copy: a copy of U, if the gate may overwrite it.
    """

    maps: Tensor
    version: int
    copy: Tensor | None


@dataclass(slots=True)
class CaptureBuffer:
    """The values that one forward pass of one thread reads, as the gates computed them.

    Attributes:
        owner: the instrument that reads.
        network: the network to run.
        maps: names of the gates whose U and X̃ are kept.
        edits: functions that replace s, by gate name.
        start: position of the first image of the pass among all images of the call.
        places: memory for values, by gate name and kind of value, which need not be copied to new tensors.
        applied: weights that have replaced s (N, C), by gate name.
        trial: whether a gate runs once more to find out how it treats s', see ``direct_edit``.
        inputs: inputs of the edited gates that are running.
        kept: the values read so far, by gate name and kind of value.
        runs: how many times each module whose runs are counted has begun to run.
        counts: how many times each run of these modules has called each watched function.
    """

    owner: object
    network: nn.Module
    maps: frozenset[str]
    edits: Mapping[str, Replacement] = field(default_factory=dict)
    start: int = 0
    places: Mapping[TableKey, Tensor] = field(default_factory=dict)
    applied: dict[str, Tensor] = field(default_factory=dict)
    trial: bool = False
    inputs: dict[str, Taken] = field(default_factory=dict)
    kept: dict[TableKey, Tensor] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    counts: dict[tuple[Frame, Callable[..., Any]], int] = field(default_factory=dict)
    _frames: dict[int, list[Frame]] = field(default_factory=dict)

    def begin(self, path: str) -> None:
        """Record that a module begins to run in this thread."""
        run = self.runs.get(path, 0)
        self.runs[path] = run + 1
        self._frames.setdefault(get_ident(), []).append(Frame(path, run))

    def end(self, path: str) -> None:
        """Record that the run of a module has ended in this thread."""
        frames = self._frames.get(get_ident())
        if frames and frames[-1].path == path:
            frames.pop()

    def innermost(self, paths: Collection[str]) -> Frame | None:
        """Return the innermost current run in this thread of one of the modules; None if none of them is running."""
        frames = self._frames.get(get_ident(), ())
        return next((frame for frame in reversed(frames) if frame.path in paths), None)

    def agrees(self, call: CallTap) -> bool:
        """Return whether a run of a module has called a function as often as when its gates were found."""
        return self.counts.get((Frame(call.path, call.run), call.function)) == call.calls

    def keep(self, key: Key, value: object) -> None:
        """Keep a copy of the first tensor given for a key; maps are kept only for the gates in ``maps``."""
        if not isinstance(value, Tensor) or key in self.kept or (key[1] in "ux" and key[0] not in self.maps):
            return
        self.put(key, unwrapped(value))

    def put(self, key: Key, value: Tensor) -> None:
        """Keep a copy of a tensor, at its place if there is a place that it fits."""
        place = self.places.get(key)
        self.kept[key] = place.copy_(value) if place is not None and fits(value, place) else value.clone()

    def replace(self, name: str, s: Tensor) -> Tensor:
        """Return the weights that multiply U in place of s (N, C), and keep them."""
        self.applied[name] = self.edits[name](s, self.start).to(s)
        return self.applied[name]
