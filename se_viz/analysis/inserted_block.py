"""SE in any CNN: a block of a known network with a gate inserted (Figures 2 and 3 of the paper)."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import nn
from torchvision.models.inception import InceptionA
from torchvision.models.resnet import Bottleneck

from se_viz.analysis.gate_placement import describe_placement
from se_viz.gates.block import Block, block_of
from se_viz.gates.block_part import BlockPart
from se_viz.gates.find import find_gates
from se_viz.gates.gate import Gate
from se_viz.gates.insert_gates import insert_gates

_SIDE, _STRIDE = 224, 16  # the blocks are those of stage 4


@dataclass(frozen=True, slots=True)
class InsertedBlock:
    """A block with the gate that was put in.

    Attributes:
        gate: the gate.
        block: the block around it, traced with the gate.
        where: the position of the gate in words.
    """

    gate: Gate
    block: Block
    where: str


def _vgg() -> nn.Module:
    return nn.Sequential(nn.Conv2d(256, 512, 3, padding=1), nn.BatchNorm2d(512), nn.ReLU())


EXAMPLES: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "ResNet-50": (1024, lambda: Bottleneck(1024, 256)),
    "ResNeXt-50 (32×4d)": (1024, lambda: Bottleneck(1024, 256, groups=32, base_width=4)),
    "VGG-16 with batch norm": (256, _vgg),
    "Inception v3": (288, lambda: InceptionA(288, pool_features=64)),
}
"""A block of stage 4 by the name of its network: input channels, and a function that makes the block."""


def inserted_block(name: str) -> InsertedBlock:
    """Put gates into a block of a known network as ``insert_gates`` does, and trace it; its weights are random.

    Args:
        name: a name of ``EXAMPLES``.
    """
    channels, make = EXAMPLES[name]
    stem = nn.Conv2d(3, channels, _STRIDE, stride=_STRIDE)
    host = nn.Sequential(OrderedDict(stem=stem, block=make())).eval()
    gated = insert_gates(host, size=_SIDE)
    gate = find_gates(gated, _SIDE)[-1]
    block = block_of(gated, gate, _SIDE, "block")
    if isinstance(host.block, InceptionA):
        # The branches of an Inception module are concatenated, which is no addition: the module is one part.
        shape = next(part.shape for part in block.parts if part.kind == "gate")
        body = BlockPart("block.body", "other", "Inception module", shape)
        block = replace(block, parts=(body, *block.parts), begins=True)
    return InsertedBlock(gate, block, describe_placement(block))
