"""The path through a block: which part took its input from which, and where branches were added."""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from se_viz.gates.block_runs import PartRun

# Largest difference between two results of the same sum, relative to the largest number.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}

# The runs of a branch (empty for an identity), and whether they begin at the block's input.
Branch: TypeAlias = tuple[list[PartRun], bool]

# A path: its parts, its additions with the number of parts before each, and whether it reached the end of the block.
Path: TypeAlias = tuple[list[PartRun], list[tuple[int, Branch]], bool]


class BlockTracer:
    """Search for the run from which each run took its input."""

    def __init__(self, runs: Sequence[PartRun], block_run: PartRun, gate_run: PartRun) -> None:
        self._tolerance = _TOLERANCE[block_run.input.dtype]
        self._block_run = block_run
        # Runs that change nothing (an identity, a dropout) are left out, but not a gate whose weights are all near 1.
        self._runs = [run for run in runs if run is gate_run or not torch.equal(run.input, run.output)]

    def back(self, run: PartRun) -> Path:
        """Return the path from the block's input to the input of ``run``.

        It consists of its parts, its additions, and whether it could be followed to the block's input.
        """
        parts: list[PartRun] = []
        joins: list[tuple[int, Branch]] = []
        begins = False
        earlier = self._before(run)
        while not (begins := self._same(run.input, self._block_run.input)):
            source = next((other for other in reversed(earlier) if self._same(other.output, run.input)), None)
            if source is None:
                summands = self._summands(run.input, earlier)
                if summands is None:
                    break
                source, branch = summands
                # Counted back from the run for now, because the number of parts before it is not known yet.
                joins.append((len(parts), branch))
            parts.append(source)
            run, earlier = source, self._before(source)
        parts.reverse()
        return parts, [(len(parts) - count, branch) for count, branch in reversed(joins)], begins

    def forward(self, run: PartRun) -> Path:
        """Return the path from the output of ``run`` to the block's output, in the same form.

        The positions of additions count ``run`` as one part.
        """
        parts: list[PartRun] = []
        joins: list[tuple[int, Branch]] = []
        value, later = run.output, self._after(run)
        while not self._same(value, self._block_run.output):
            takes = next((other for other in later if self._same(other.input, value)), None)
            if takes is None:
                takes, branch = next(
                    ((other, found) for other in later if (found := self._added(other.input, value)) is not None),
                    (None, None),
                )
                if branch is None:
                    branch = self._added(self._block_run.output, value)
                if branch is None:
                    return parts, joins, False
                joins.append((len(parts) + 1, branch))
                if takes is None:
                    break
            parts.append(takes)
            value, later = takes.output, self._after(takes)
        return parts, joins, True

    def _before(self, run: PartRun) -> list[PartRun]:
        return self._runs[: self._runs.index(run)] if run in self._runs else []

    def _after(self, run: PartRun) -> list[PartRun]:
        return self._runs[self._runs.index(run) + 1 :] if run in self._runs else []

    def _summands(self, total: Tensor, earlier: list[PartRun]) -> tuple[PartRun, Branch] | None:
        """Return the two branches whose sum is ``total``: the last run of the longer one, and the other branch."""
        for source in reversed(earlier):
            branch = self._added(total, source.output, source)
            if branch is not None:
                source_branch = self._branch(source)
                return (source, branch) if len(branch[0]) <= len(source_branch[0]) else (branch[0][-1], source_branch)
        return None

    def _branch(self, last: PartRun) -> Branch:
        parts, _, begins = self.back(last)
        return [*parts, last], begins

    def _added(self, total: Tensor, value: Tensor, exclude: PartRun | None = None) -> Branch | None:
        """Return the branch that was added to ``value`` to give ``total``; None if no such branch was found."""
        if total.shape != value.shape:
            return None
        rest, largest = total - value, total.abs().amax()
        if self._near(rest, self._block_run.input, largest):
            return [], True
        # The last run with this output, because a normalisation may change almost nothing.
        for other in reversed(self._runs):
            if other is not exclude and self._near(rest, other.output, largest):
                return self._branch(other)
        # The non-linearity after an addition may be a function call instead of a module.
        if total is self._block_run.output and not (total < 0).any():
            for last in (None, *self._runs):
                branch_output = self._block_run.input if last is None else last.output
                if branch_output.shape == value.shape and self._same(torch.relu(value + branch_output), total):
                    return ([], True) if last is None else self._branch(last)
        return None

    def _same(self, one: Tensor, other: Tensor) -> bool:
        return self._near(one, other, other.abs().amax())

    def _near(self, one: Tensor, other: Tensor, largest: Tensor) -> bool:
        return one.shape == other.shape and bool((one - other).abs().amax() <= self._tolerance * largest)
