"""The block around a gate: what runs before and after it, and where branches meet.

Nothing is assumed about how a block is written. The module watches one forward pass of noise and compares the input of
each part with the outputs of the others. The input equals one of these outputs, or such an output plus something else.
If the difference is the block's input, an identity is added there; if it is the output of another branch, that branch
is added.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from se_viz.gates.block_part import BlockPart, part
from se_viz.gates.block_runs import PartRun, watch_block
from se_viz.gates.block_tracer import BlockTracer, Path
from se_viz.gates.gate import Gate
from se_viz.gates.naming import block_path
from se_viz.gates.trace import Size


@dataclass(frozen=True, slots=True)
class Join:
    """An addition on the path through the gate.

    Attributes:
        after: number of ``Block.parts`` that run before the addition.
        parts: parts of the added branch, in order; empty if the block's input itself is added (an identity).
        begins: whether the branch could be followed back to the block's input.
    """

    after: int
    parts: tuple[BlockPart, ...]
    begins: bool = True


@dataclass(frozen=True, slots=True)
class Block:
    """The block that a gate belongs to.

    Attributes:
        path: path of the block's module; "" for the whole network, if no module around the gate has a number.
        kind: class of the module.
        gate: name of the gate.
        input, output: shapes of the block's input and output for one image.
        parts: the parts in order on the path from the input through the gate to the output, including the gate.
        joins: the additions of other branches to this path.
        begins, ends: whether the path could be followed to the block's input, and to its output.
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


def path_of_block(gate: Gate) -> str:
    """Return the path of the block of a gate; that of the module around the gate, if no module there has a number."""
    path = block_path(gate.called_at)
    return gate.called_at.rpartition(".")[0] if path is None else path


def block_of(network: nn.Module, gate: Gate, size: Size, path: str | None = None) -> Block:
    """Return the block around a gate, as one watched forward pass shows it.

    Args:
        network: the network of the gate, on any device.
        gate: a gate that ``find_gates`` returned.
        size: size of the images, (height, width) or the side of a square, in pixels.
        path: path of the block, if its name does not tell it: by default, the nearest module with a number around the
            gate.

    Raises:
        GatesChanged: the gate no longer runs.
    """
    path = path_of_block(gate) if path is None else path
    runs, block_run, gate_run = watch_block(network, path, gate, size)
    tracer = BlockTracer(runs, block_run, gate_run)
    return block_of_runs(gate, path, block_run, gate_run, tracer.back(gate_run), tracer.forward(gate_run))


def block_of_runs(gate: Gate, path: str, block_run: PartRun, gate_run: PartRun, back: Path, forward: Path) -> Block:
    """Return the block around a gate from the runs of a pass and the paths that ``BlockTracer`` found in them."""
    before, earlier, begins = back
    after, later, ends = forward
    parts = [*before, gate_run, *after]

    def describe_branch(branch: Sequence[PartRun]) -> tuple[BlockPart, ...]:
        return tuple(part(run.path, run.module, run.output, gate.name if run is gate_run else "") for run in branch)

    return Block(
        path=path,
        kind=type(block_run.module).__name__,
        gate=gate.name,
        input=tuple(block_run.input.shape[1:]),
        output=tuple(block_run.output.shape[1:]),
        parts=describe_branch(parts),
        joins=tuple(
            [Join(count, describe_branch(branch), known) for count, (branch, known) in earlier]
            + [Join(len(before) + count, describe_branch(branch), known) for count, (branch, known) in later]
        ),
        begins=begins,
        ends=ends,
    )
