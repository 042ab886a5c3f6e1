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


class BlockTracer:
    """Search for the run from which each run took its input."""

    def __init__(self, runs: Sequence[PartRun], whole: PartRun, at: PartRun) -> None:
        self._tolerance = _TOLERANCE[whole.taken.dtype]
        self._whole = whole
        # Runs that change nothing (an identity, a dropout) are left out, but not a gate whose weights are all near 1.
        self._runs = [run for run in runs if run is at or not torch.equal(run.taken, run.given)]

    def back(self, run: PartRun) -> tuple[list[PartRun], list[tuple[int, Branch]], bool]:
        """Return the path from the block's input to the input of ``run``.

        It is given by its parts, its additions, and whether it could be followed to the block's input.
        """
        parts: list[PartRun] = []
        joins: list[tuple[int, Branch]] = []
        begins = False
        earlier = self._before(run)
        while not (begins := self._same(run.taken, self._whole.taken)):
            source = next((other for other in reversed(earlier) if self._same(other.given, run.taken)), None)
            if source is None:
                summands = self._summands(run.taken, earlier)
                if summands is None:
                    break
                source, branch = summands
                # Counted back from the run for now, because the number of parts before it is not known yet.
                joins.append((len(parts), branch))
            parts.append(source)
            run, earlier = source, self._before(source)
        parts.reverse()
        return parts, [(len(parts) - count, branch) for count, branch in reversed(joins)], begins

    def on(self, run: PartRun) -> tuple[list[PartRun], list[tuple[int, Branch]], bool]:
        """Return the path from the output of ``run`` to the block's output, likewise.

        The positions of additions count ``run`` as one part.
        """
        parts: list[PartRun] = []
        joins: list[tuple[int, Branch]] = []
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

    def _before(self, run: PartRun) -> list[PartRun]:
        return self._runs[: self._runs.index(run)] if run in self._runs else []

    def _after(self, run: PartRun) -> list[PartRun]:
        return self._runs[self._runs.index(run) + 1 :] if run in self._runs else []

    def _summands(self, total: Tensor, earlier: list[PartRun]) -> tuple[PartRun, Branch] | None:
        """Return the two branches whose sum is ``total``: the last run of the longer one, and the other branch."""
        for source in reversed(earlier):
            branch = self._added(total, source.given, source)
            if branch is not None:
                own = self._branch(source)
                return (source, branch) if len(branch[0]) <= len(own[0]) else (branch[0][-1], own)
        return None

    def _branch(self, last: PartRun) -> Branch:
        parts, _, begins = self.back(last)
        return [*parts, last], begins

    def _added(self, total: Tensor, value: Tensor, but: PartRun | None = None) -> Branch | None:
        """Return the branch that was added to ``value`` to give ``total``; None if no such branch was found."""
        if total.shape != value.shape:
            return None
        rest, largest = total - value, total.abs().amax()
        if self._near(rest, self._whole.taken, largest):
            return [], True
        # The last run with this output, because a normalisation may change almost nothing.
        for other in reversed(self._runs):
            if other is not but and self._near(rest, other.given, largest):
                return self._branch(other)
        # The non-linearity after an addition may be a function call instead of a module.
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
