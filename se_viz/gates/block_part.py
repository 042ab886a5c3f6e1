"""The description of one part of a block."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import Tensor, nn

PartKind: TypeAlias = Literal["convolution", "linear", "pool", "norm", "activation", "gate", "other"]


@dataclass(frozen=True, slots=True)
class BlockPart:
    """One part of a block that ran.

    Attributes:
        path: its path in the network.
        kind: the kind of operation.
        text: a description, for instance "3 × 3 convolution, stride 2".
        shape: shape of its output for one image, (C, H, W) for maps.
    """

    path: str
    kind: PartKind
    text: str
    shape: tuple[int, ...]


_POOLS = (nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


def part(path: str, module: nn.Module, output: Tensor, gate: str = "") -> BlockPart:
    """Describe a module by its ``output``; ``gate`` is the gate's name if the module is the block's gate."""
    shape = tuple(output.shape[1:])
    return BlockPart(path, "gate", gate, shape) if gate else BlockPart(path, *_described(module), shape)


def _described(module: nn.Module) -> tuple[PartKind, str]:
    name = type(module).__name__
    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        words = f"{height} × {width} convolution"
        if module.groups == module.in_channels == module.out_channels:
            words = f"{height} × {width} depthwise convolution"
        elif module.groups > 1:
            words += f", {module.groups} groups"
        stride = max(module.stride)
        return "convolution", words + (f", stride {stride}" if stride > 1 else "")
    if isinstance(module, nn.Linear):
        return "linear", "FC layer"
    if isinstance(module, _POOLS):
        return "pool", "average pooling" if "Avg" in name else "max pooling"
    if "Norm" in name:
        active = [type(inner).__name__ for inner in module.children() if not isinstance(inner, nn.Identity)]
        return "norm", ", ".join(["batch norm" if "Batch" in name else name, *active])
    if type(module).__module__.endswith((".activation", ".activations", ".activations_me")):
        return "activation", name
    return "other", name
