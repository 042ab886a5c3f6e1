"""Naming gates as the paper does: SE_2_3 is the gate of the third block of stage 2.

Stage i contains the blocks that work at 1/2^i of the input's resolution. This gives the stages 2 … 5 of a ResNet and
has the same meaning in every CNN. If the names of the modules number the blocks of a stage (``layer1.0``,
``layer1.1``), a block gets this number, so that it keeps its number after a block without a gate. Otherwise the gates
of the stage are counted.
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
    """The location of a gate: its stage, its block in that stage (from 1), and which of its runs in the block it is."""

    stage: int
    block: int
    repeat: int = 0

    @property
    def name(self) -> str:
        """The name as in the paper, for instance SE_2_3; SE_2_3b for the second run of a gate in its block."""
        letters = ""
        number = self.repeat
        while number:
            number, letter = divmod(number, 26)
            letters = chr(ord("a") + letter) + letters
        return f"SE_{self.stage}_{self.block}{letters}"


@dataclass(frozen=True, slots=True)
class Site:
    """The data from which the name of a gate is made.

    Attributes:
        path: path of the gate; if the gate is not a module, the path of its block with one more part.
        maps: shape of U.
        layout: order of the axes of U.
        module: path of the module that runs the gate.
    """

    path: str
    maps: torch.Size | None
    layout: Layout
    module: str = ""


def locate_gates(trace: Trace, sites: Sequence[Site]) -> list[GateLocation]:
    """Return the location of each gate; ``sites`` are in execution order."""
    outputs = {step.path: step.output for step in trace.steps}
    blocks = [block_path(site.path) for site in sites]
    stages = [
        _stage(trace.width, outputs.get(block) if block else None, site.maps, site.layout)
        for site, block in zip(sites, blocks, strict=True)
    ]
    # A module that runs again in the same block keeps its number and gets a letter.
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
    """Return the path of the nearest module around a gate whose name ends in a digit; None if there is no such module.

    For ``layer1.0.attn.se`` this is ``layer1.0``.
    """
    parts = path.split(".")
    for end in range(len(parts) - 1, 0, -1):
        if re.search(r"\d$", parts[end - 1]):
            return ".".join(parts[:end])
    return None


def _stage(image: int, block: torch.Size | None, gate: torch.Size | None, layout: Layout) -> int:
    """Return log₂ of image width / width of the block's output (of the gate's input if that output is not a map)."""
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
    """Return the block numbers of the gates of one stage.

    They come from the names of the modules if one container holds exactly this stage; otherwise the gates are counted.
    """
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
    numbered = re.compile(rf"{re.escape(container)}\.[^.]*?(\d+)(?=\.|$)")
    # Module lists count from 0, block numbers from 1. A block of which only parts ran also counts: it may be a
    # ModuleDict, or be called as ``block.forward(x)``.
    ran = [*paths, *(block for block in members if block)]
    first = min(int(match[1]) for path in ran if (match := numbered.match(path)))
    own = [int(match[1]) - first + 1 for block in members if block and (match := numbered.fullmatch(block))]
    return own if len(set(own)) == len(members) else counted
