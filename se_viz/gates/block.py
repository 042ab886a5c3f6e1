"""The block around a gate: what runs before and after it, and where branches meet.

Nothing is assumed about how a block is written. One forward pass of noise is watched, and what a part takes is compared
with what the others put out: it is what one of them put out, or that and something more. Where the difference is the
block's own input, an identity is added there; where it is what another branch put out, that branch is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from se_viz.gates.block_part import BlockPart, part
from se_viz.gates.block_runs import PartRun, watch_block
from se_viz.gates.block_tracer import BlockTracer
from se_viz.gates.gate import Gate
from se_viz.gates.naming import block_path
from se_viz.gates.trace import Size


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
    runs, whole, at = watch_block(network, path, gate, size)
    tracer = BlockTracer(runs, whole, at)
    before, earlier, begins = tracer.back(at)
    after, later, ends = tracer.on(at)
    parts = [*before, at, *after]

    def describe_branch(branch: Sequence[PartRun]) -> tuple[BlockPart, ...]:
        return tuple(part(run.path, run.module, run.given, gate.name if run is at else "") for run in branch)

    return Block(
        path=path,
        kind=type(whole.module).__name__,
        gate=gate.name,
        input=tuple(whole.taken.shape[1:]),
        output=tuple(whole.given.shape[1:]),
        parts=describe_branch(parts),
        joins=tuple(
            [Join(count, describe_branch(branch), known) for count, (branch, known) in earlier]
            + [Join(len(before) + count, describe_branch(branch), known) for count, (branch, known) in later]
        ),
        begins=begins,
        ends=ends,
    )
