"""The block around a gate: what runs before and after it, and where branches meet.

Nothing is assumed about how a block is written. One forward pass of noise is watched, and what a part takes is compared
with what the others put out: it is what one of them put out, or that and something more. Where the difference is the
block's own input, an identity is added there; where it is what another branch put out, that branch is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from se_viz.gates.block_part import BlockPart, part
from se_viz.gates.capture_buffer import Key
from se_viz.gates.errors import GatesChanged
from se_viz.gates.eval_mode import hold_eval_mode
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.naming import block_path
from se_viz.gates.trace import Size, image_channels, placement, watched

# How far apart two results of the same sum may be, as a share of the largest number.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}


@dataclass(frozen=True, slots=True)
class Join:
    """An addition on the way through the gate.

    Attributes:
        after: how many of ``Block.parts`` run before it.
        parts: of the branch that is added, in order; none where the block's input itself is (an identity).
        begins: whether the branch could be followed to the block's input.
    """

    after: int
    parts: tuple[BlockPart, ...]
    begins: bool = True


@dataclass(frozen=True, slots=True)
class Block:
    """The block that a gate belongs to.

    Attributes:
        path: of its module; "" for the whole network, where no part around the gate has a number.
        kind: class of the module.
        gate: the gate's name.
        input, output: shapes of what goes in and comes out for one image.
        parts: in order, on the way from the input through the gate to the output, the gate among them.
        joins: where other branches are added to it.
        begins, ends: whether the way could be followed to the block's input, and to its output.
    """

    path: str
    kind: str
    gate: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    parts: tuple[BlockPart, ...]
    joins: tuple[Join, ...]
    begins: bool
    ends: bool

    @property
    def position(self) -> int:
        """Index of the gate in ``parts``."""
        return next(index for index, part in enumerate(self.parts) if part.kind == "gate")


@dataclass(eq=False, slots=True)
class _Run:
    """A run of a part, with copies of what it took and put out, as these may be overwritten by what follows."""

    path: str
    module: nn.Module
    taken: Tensor
    given: Tensor


# The runs of a branch, none for an identity, and whether they begin at the block's input.
_Branch: TypeAlias = tuple[list[_Run], bool]


def block_of(network: nn.Module, gate: Gate, size: Size) -> Block:
    """Watch one forward pass, and say what stands around a gate.

    Args:
        network: the gate's, on any device.
        gate: as ``find_gates`` found it.
        size: of the images, (height, width) or the side of a square, pixels.

    Raises:
        GatesChanged: the gate does not run any more.
    """
    path = block_path(gate.called_at)
    if path is None:
        path = gate.called_at.rpartition(".")[0]
    runs, whole, at = _watch(network, path, gate, size)
    tracer = _Tracer(runs, whole, at, _TOLERANCE[whole.taken.dtype])
    before, earlier, begins = tracer.back(at)
    after, later, ends = tracer.on(at)
    parts = [*before, at, *after]

    def described(branch: Sequence[_Run]) -> tuple[BlockPart, ...]:
        return tuple(part(run.path, run.module, run.given, gate.name if run is at else "") for run in branch)

    return Block(
        path=path,
        kind=type(whole.module).__name__,
        gate=gate.name,
        input=tuple(whole.taken.shape[1:]),
        output=tuple(whole.given.shape[1:]),
        parts=described(parts),
        joins=tuple(
            [Join(count, described(branch), known) for count, (branch, known) in earlier]
            + [Join(len(before) + count, described(branch), known) for count, (branch, known) in later]
        ),
        begins=begins,
        ends=ends,
    )


class _Kept(dict[Key, Tensor]):
    """Keeps U and X̃ of a gate that is no module, and how many parts had begun to run when they were multiplied."""

    def __init__(self, begun: list[tuple[nn.Module, Tensor]]) -> None:
        super().__init__()
        self.position = 0
        self._begun = begun

    def __setitem__(self, key: Key, value: Tensor) -> None:
        self.position = len(self._begun)
        super().__setitem__(key, value)


def _watch(network: nn.Module, path: str, gate: Gate, size: Size) -> tuple[list[_Run], _Run, _Run]:
    """The runs of a block's parts in the order in which they began, the block's own, and the gate's."""
    block, unit = network.get_submodule(path), network.get_submodule(gate.path)
    watching = {module: name for name, module in _units(block, path, unit)}
    if gate.product is None:
        watching[unit] = gate.path
    # A ReLU that serves all of a block runs several times, so every run counts.
    begun: list[tuple[nn.Module, Tensor]] = []
    finished: dict[int, Tensor] = {}
    open_runs: list[int] = []

    def before(module: nn.Module, value: object) -> None:
        if isinstance(value, Tensor):
            open_runs.append(len(begun))
            begun.append((module, value.clone()))

    def after(module: nn.Module, value: object) -> None:
        if open_runs and begun[open_runs[-1]][0] is module:
            number = open_runs.pop()
            if isinstance(value, Tensor):
                finished[number] = value.clone()

    device, dtype = placement(network)
    height, width = (size, size) if isinstance(size, int) else size
    image = torch.rand((1, image_channels(network), height, width), generator=torch.Generator().manual_seed(0)).to(
        device, dtype
    )
    kept = _Kept(begun)
    with hold_eval_mode(network), watched([block, *watching], before, after), torch.no_grad():
        if gate.product is None:
            network(image)
        else:
            with Instrument(network, (gate,)).reading(frozenset([gate.name])) as sink:
                sink.kept = kept
                sink.network(image)
    placed = [
        (number, _Run(path if module is block else watching[module], module, taken, finished[number]))
        for number, (module, taken) in enumerate(begun)
        if number in finished
    ]
    at: tuple[int, _Run] | None = None
    if gate.product is None:
        at = next(iter([item for item in placed if item[1].module is unit][gate.run :]), None)
    elif (gate.name, "u") in kept and (gate.name, "x") in kept:
        at = kept.position, _Run(gate.path, unit, kept[gate.name, "u"], kept[gate.name, "x"])
        placed.insert(sum(number < kept.position for number, _ in placed), at)
    if at is None:
        raise GatesChanged(f"{gate.name} at {gate.path} does not run any more: find the gates of this network again.")
    # A block that takes something else than one tensor is not looked into any further than its gate.
    own = next((item for item in reversed(placed[: placed.index(at)]) if item[1].module is block), at)
    end = next(
        (
            number
            for number, run in placed
            if run.module is block and number > own[0] and run is not own[1] and run is not at[1]
        ),
        None,
    )
    runs = [run for number, run in placed if run is not own[1] and own[0] <= number and (end is None or number < end)]
    return runs if own is not at else [run for _, run in placed], own[1], at[1]


def _units(block: nn.Module, path: str, gate: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """What counts as one part: the gate, what has weights of its own, and what has no parts."""
    for name, child in block.named_children():
        full = f"{path}.{name}" if path else name
        own = next(child.parameters(recurse=False), None) is not None
        if child is gate or own or next(child.children(), None) is None:
            yield full, child
        else:
            yield from _units(child, full, gate)


class _Tracer:
    """Finds out which run took what from which."""

    def __init__(self, runs: Sequence[_Run], whole: _Run, at: _Run, tolerance: float) -> None:
        self._tolerance = tolerance
        self._whole = whole
        # What changes nothing (an identity, a dropout) is not worth a mention, but a gate whose weights are all near 1
        # is.
        self._runs = [run for run in runs if run is at or not torch.equal(run.taken, run.given)]

    def back(self, run: _Run) -> tuple[list[_Run], list[tuple[int, _Branch]], bool]:
        """From the block's input to what ``run`` takes: the parts, the additions, and whether that is all of it."""
        parts: list[_Run] = []
        joins: list[tuple[int, _Branch]] = []
        begins = False
        earlier = self._before(run)
        while not (begins := self._same(run.taken, self._whole.taken)):
            source = next((other for other in reversed(earlier) if self._same(other.given, run.taken)), None)
            if source is None:
                summands = self._summands(run.taken, earlier)
                if summands is None:
                    break
                source, branch = summands
                # Counted from the run for now, as nobody knows yet how many come before.
                joins.append((len(parts), branch))
            parts.append(source)
            run, earlier = source, self._before(source)
        parts.reverse()
        return parts, [(len(parts) - count, branch) for count, branch in reversed(joins)], begins

    def on(self, run: _Run) -> tuple[list[_Run], list[tuple[int, _Branch]], bool]:
        """From what ``run`` puts out to the block's output, likewise; additions count ``run`` as one part."""
        parts: list[_Run] = []
        joins: list[tuple[int, _Branch]] = []
        value, later = run.given, self._after(run)
        while not self._same(value, self._whole.given):
            takes = next((other for other in later if self._same(other.taken, value)), None)
            if takes is None:
                takes, branch = next(
                    ((other, found) for other in later if (found := self._added(other.taken, value)) is not None),
                    (None, None),
                )
                if branch is None:
                    branch = self._added(self._whole.given, value)
                if branch is None:
                    return parts, joins, False
                joins.append((len(parts) + 1, branch))
                if takes is None:
                    break
            parts.append(takes)
            value, later = takes.given, self._after(takes)
        return parts, joins, True

    def _before(self, run: _Run) -> list[_Run]:
        return self._runs[: self._runs.index(run)] if run in self._runs else []

    def _after(self, run: _Run) -> list[_Run]:
        return self._runs[self._runs.index(run) + 1 :] if run in self._runs else []

    def _summands(self, total: Tensor, earlier: list[_Run]) -> tuple[_Run, _Branch] | None:
        """The two branches whose sum this is: the last run of the longer, and the other."""
        for source in reversed(earlier):
            branch = self._added(total, source.given, source)
            if branch is not None:
                own = self._branch(source)
                return (source, branch) if len(branch[0]) <= len(own[0]) else (branch[0][-1], own)
        return None

    def _branch(self, last: _Run) -> _Branch:
        parts, _, begins = self.back(last)
        return [*parts, last], begins

    def _added(self, total: Tensor, value: Tensor, but: _Run | None = None) -> _Branch | None:
        """The branch that was added to ``value`` to give ``total``; None if there is none."""
        if total.shape != value.shape:
            return None
        rest, largest = total - value, total.abs().amax()
        if self._near(rest, self._whole.taken, largest):
            return [], True
        # The last of those that put it out, as a normalisation may change next to nothing.
        for other in reversed(self._runs):
            if other is not but and self._near(rest, other.given, largest):
                return self._branch(other)
        # The non-linearity after an addition may stand in code, without a module.
        if total is self._whole.given and not (total < 0).any():
            for last in (None, *self._runs):
                given = self._whole.taken if last is None else last.given
                if given.shape == value.shape and self._same(torch.relu(value + given), total):
                    return ([], True) if last is None else self._branch(last)
        return None

    def _same(self, one: Tensor, other: Tensor) -> bool:
        return self._near(one, other, other.abs().amax())

    def _near(self, one: Tensor, other: Tensor, largest: Tensor) -> bool:
        return one.shape == other.shape and bool((one - other).abs().amax() <= self._tolerance * largest)
