"""The SE unit of the paper: squeeze, excitation, scale (Section 3, Figure 2)."""

from typing import Literal, TypeAlias

from torch import Tensor, nn

Squeeze: TypeAlias = Literal["avg", "max"]
GateFunction: TypeAlias = Literal["sigmoid", "relu", "tanh"]


class SEGate(nn.Module):
    """One SE unit: squeeze (eq. 2), excitation (eq. 3) and scale (eq. 4) of the paper.

    z = squeeze(U), s = gate(W₂ ReLU(W₁ z)), X̃ = s · U.
    """

    def __init__(
        self,
        channels: int,
        r: int,
        squeeze: Squeeze = "avg",
        gate: GateFunction = "sigmoid",
        *,
        bias: bool = False,
    ) -> None:
        super().__init__()
        bottleneck = max(1, channels // r)
        self.squeeze = nn.AdaptiveAvgPool2d(1) if squeeze == "avg" else nn.AdaptiveMaxPool2d(1)
        self.fc1 = nn.Linear(channels, bottleneck, bias=bias)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Linear(bottleneck, channels, bias=bias)
        self.gate = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "tanh": nn.Tanh}[gate]()
        # torch's default initialisation is three times smaller for each layer; with it s never left 0.5 in training.
        for layer in (self.fc1, self.fc2):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, u: Tensor) -> Tensor:
        """Map U (N, C, H, W) to X̃ (N, C, H, W)."""
        z = self.squeeze(u).flatten(1)
        s = self.gate(self.fc2(self.relu(self.fc1(z))))
        scaled: Tensor = s[:, :, None, None] * u
        return scaled
