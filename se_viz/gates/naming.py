"""Naming gates as the paper does: SE_2_3 is the gate of the third block of stage 2.

A stage is where the block works at 1/2^i of the input's resolution, which gives a ResNet its stages 2 … 5 and means
the same in every CNN. A block's number is the network's own where its modules number the blocks of that stage
(``layer1.0``, ``layer1.1``), so that a block after one without a gate keeps its number; else gates are counted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

import torch

from se_viz.gates.gate import Layout
from se_viz.gates.trace import Trace


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gate stands: its stage and its block in that stage, from 1."""

    stage: int
    block: int

    @property
    def name(self) -> str:
        """The paper's name, for instance SE_2_3."""
        return f"SE_{self.stage}_{self.block}"


def places(trace: Trace, paths: Sequence[str], layouts: Sequence[Layout]) -> list[Place]:
    """The place of each gate of ``paths``, given in execution order."""
    outputs = {step.path: step.output for step in trace.steps}
    inputs = {step.path: step.input for step in trace.steps}
    blocks = [block_path(path) for path in paths]
    stages = [
        _stage(trace.width, outputs.get(block) if block else None, inputs[path], layout)
        for path, block, layout in zip(paths, blocks, layouts, strict=True)
    ]
    placed = []
    for index, stage in enumerate(stages):
        members = [i for i, other in enumerate(stages) if other == stage]
        numbers = _numbers(list(outputs), [blocks[i] for i in members], stages, blocks, stage)
        placed.append(Place(stage, numbers[members.index(index)]))
    return placed


def block_path(path: str) -> str | None:
    """The nearest module around a gate whose name ends in a number: ``layer1.0`` of ``layer1.0.attn.se``."""
    parts = path.split(".")
    for end in range(len(parts) - 1, 0, -1):
        if re.search(r"\d$", parts[end - 1]):
            return ".".join(parts[:end])
    return None


def _stage(image: int, block: torch.Size | None, gate: torch.Size | None, layout: Layout) -> int:
    """log₂ of how much narrower the block's output is than the image (the gate's input where that is no map)."""
    if block is not None and len(block) == 4 and block[-1] > 1 and layout == "nchw":
        width = block[-1]
    elif gate is not None and len(gate) == 4:
        width = gate[-1] if layout == "nchw" else gate[-2]
    else:
        width = image
    return round(log2(image / width))


def _numbers(
    paths: list[str], members: list[str | None], stages: list[int], blocks: list[str | None], stage: int
) -> list[int]:
    """Block numbers of one stage's gates: the modules' own if one container holds just this stage, else counted."""
    counted = list(range(1, len(members) + 1))
    containers = {block.rpartition(".")[0] if block else "" for block in members}
    if len(containers) != 1:
        return counted
    container = containers.pop()
    elsewhere = {
        block.rpartition(".")[0] for block, other in zip(blocks, stages, strict=True) if block and other != stage
    }
    if not container or container in elsewhere:
        return counted
    numbered = re.compile(rf"{re.escape(container)}\.[^.]*?(\d+)")
    # Lists count from 0, people from 1.
    first = min(int(match[1]) for path in paths if (match := numbered.fullmatch(path)))
    own = [int(match[1]) - first + 1 for block in members if block and (match := numbered.fullmatch(block))]
    return own if len(set(own)) == len(members) else counted
