"""The demo network: SE-ResNet-26 of width 24, for images of 128 × 128.

Its stem has three 3 × 3 convolutions, and its shortcuts downsample by averaging, as in ResNet-D (He et al. 2019, "Bag
of Tricks"): on small images, a 7 × 7 stem and shortcuts that skip three of four pixels cost accuracy.

It has four stages of two bottleneck blocks, so its gates are SE_2_1 … SE_5_2 with 96, 192, 384 and 768 channels. At
this width the gates add about the same share of parameters as the paper's gates add to ResNet-50 (Table 10): r = 2 adds
79%, r = 16 adds 10%. Each design choice that the paper varies is an argument here.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from se_viz.gates.se_unit import GateFunction, SEGate, Squeeze

Integration: TypeAlias = Literal["standard", "pre", "post", "identity"]

STAGES = (2, 3, 4, 5)
BLOCKS_PER_STAGE = 2


@dataclass(frozen=True, slots=True)
class SEResNetConfig:
    """Configuration of a demo network.

    Attributes:
        r: reduction ratio; the bottleneck of a gate of C channels has ``max(1, C // r)`` units. None: no gates.
        squeeze: squeeze operator (Table 11).
        gate: gate function, the second non-linearity of the excitation (Table 12).
        integration: position of the gate in the residual block (Table 14).
        gated_stages: stages that have gates (Table 13), among 2 … 5.
        bias: True if the two FC layers have biases; the networks of the paper's tables have none.
        width: channels of the stem; stage i of 2 … 5 has ``4 · width · 2^(i-2)``.
        num_classes: length of the logits.

    Raises:
        ValueError: a value is outside its range; the message names it.
    """

    r: int | None = 16
    squeeze: Squeeze = "avg"
    gate: GateFunction = "sigmoid"
    integration: Integration = "standard"
    gated_stages: tuple[int, ...] = STAGES
    bias: bool = False
    width: int = 24
    num_classes: int = 10

    def __post_init__(self) -> None:
        if self.r is not None and self.r < 1:
            raise ValueError(f"r must be 1 or more (or None for a network without SE), not {self.r}")
        for name, kind in (("squeeze", Squeeze), ("gate", GateFunction), ("integration", Integration)):
            allowed = get_args(kind)
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")
        if not set(self.gated_stages) <= set(STAGES) or sorted(set(self.gated_stages)) != list(self.gated_stages):
            raise ValueError(
                f"gated_stages must be among {STAGES}, in order and without repetition, not {self.gated_stages}"
            )
        if self.width < 1 or self.num_classes < 1:
            raise ValueError("width and num_classes must be 1 or more")

    @property
    def gated(self) -> bool:
        """True if the network has any gate."""
        return self.r is not None and bool(self.gated_stages)


class SEBottleneck(Bottleneck):
    """torchvision's bottleneck block with a gate at one of the paper's four positions (its Figure 5)."""

    def __init__(self, inplanes: int, planes: int, stride: int, config: SEResNetConfig, *, gated: bool) -> None:
        outplanes = planes * self.expansion
        downsample = None
        if stride != 1 or inplanes != outplanes:
            downsample = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True) if stride != 1 else nn.Identity(),
                nn.Conv2d(inplanes, outplanes, 1, bias=False),
                nn.BatchNorm2d(outplanes),
            )
        super().__init__(inplanes, planes, stride, downsample)
        self.integration = config.integration
        self.se: nn.Module = nn.Identity()
        if gated and config.r is not None:
            channels = inplanes if config.integration == "pre" else outplanes
            self.se = SEGate(channels, config.r, config.squeeze, config.gate, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (N, inplanes, H, W) → (N, 4 · planes, H/stride, W/stride)."""
        identity = x if self.downsample is None else self.downsample(x)
        residual = self._residual(self.se(x) if self.integration == "pre" else x)
        if self.integration == "standard":
            residual = self.se(residual)
        elif self.integration == "identity":
            identity = self.se(identity)
        # Not `+=`: an instrument that reads X̃ must see it as the gate returned it.
        out: Tensor = self.relu(residual + identity)
        return self.se(out) if self.integration == "post" else out

    def _residual(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        out: Tensor = self.bn3(self.conv3(x))
        return out


class SEResNet(nn.Module):
    """SE-ResNet-26 built from torchvision's modules, with torchvision's names (conv1, bn1, layer1 … layer4, fc)."""

    def __init__(self, config: SEResNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SEResNetConfig()
        self.conv1 = _stem(config.width)
        self.bn1 = nn.BatchNorm2d(config.width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = (_stage(config, stage) for stage in STAGES)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(_outplanes(config, STAGES[-1]), config.num_classes)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) → logits (N, num_classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits


def _stem(width: int) -> nn.Sequential:
    """Return the stem, (N, 3, H, W) → (N, width, H/2, W/2), whose inner layers have two thirds of the width."""
    inner = max(1, width * 2 // 3)
    return nn.Sequential(
        nn.Conv2d(3, inner, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(inplace=True),
        nn.Conv2d(inner, inner, 3, padding=1, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(inplace=True),
        nn.Conv2d(inner, width, 3, padding=1, bias=False),
    )


def _outplanes(config: SEResNetConfig, stage: int) -> int:
    """Return the number of output channels of a stage; stage 1 is the stem."""
    return config.width if stage == 1 else (config.width << (stage - STAGES[0])) * SEBottleneck.expansion


def _stage(config: SEResNetConfig, stage: int) -> nn.Sequential:
    inplanes, outplanes = _outplanes(config, stage - 1), _outplanes(config, stage)
    blocks = []
    for block in range(BLOCKS_PER_STAGE):
        stride = 2 if block == 0 and stage > STAGES[0] else 1
        planes = outplanes // SEBottleneck.expansion
        blocks.append(SEBottleneck(inplanes, planes, stride, config, gated=stage in config.gated_stages))
        inplanes = outplanes
    return nn.Sequential(*blocks)
