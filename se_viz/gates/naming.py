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
class GateLocation:
    """Where a gate stands: its stage and its block in that stage, from 1; and which of the block's runs of it it is."""

    stage: int
    block: int
    repeat: int = 0

    @property
    def name(self) -> str:
        """The paper's name, for instance SE_2_3; SE_2_3b for the second run of the same gate in that block."""
        letters = ""
        number = self.repeat
        while number:
            number, letter = divmod(number, 26)
            letters = chr(ord("a") + letter) + letters
        return f"SE_{self.stage}_{self.block}{letters}"


@dataclass(frozen=True, slots=True)
class Site:
    """What the name of a gate is made of.

    Attributes:
        path: of the gate; where it is no module, of a part that its block does not have.
        maps: shape of U.
        layout: order of its axes.
        module: path of the module that runs the gate.
    """

    path: str
    maps: torch.Size | None
    layout: Layout
    module: str = ""


def locate_gates(trace: Trace, sites: Sequence[Site]) -> list[GateLocation]:
    """The place of each gate, given in execution order."""
    outputs = {step.path: step.output for step in trace.steps}
    blocks = [block_path(site.path) for site in sites]
    stages = [
        _stage(trace.width, outputs.get(block) if block else None, site.maps, site.layout)
        for site, block in zip(sites, blocks, strict=True)
    ]
    # What runs again in the same block is one gate of it, read again.
    keys = [(site.module or index, *at) for index, (site, *at) in enumerate(zip(sites, blocks, stages, strict=True))]
    repeats = [keys[:index].count(key) for index, key in enumerate(keys)]
    located: list[GateLocation] = []
    for index, stage in enumerate(stages):
        if repeats[index]:
            located.append(GateLocation(stage, located[keys.index(keys[index])].block, repeats[index]))
            continue
        members = [i for i, other in enumerate(stages) if other == stage and not repeats[i]]
        numbers = _numbers(list(outputs), [blocks[i] for i in members], stages, blocks, stage)
        located.append(GateLocation(stage, numbers[members.index(index)]))
    return located


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
