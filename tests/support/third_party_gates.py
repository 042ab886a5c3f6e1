"""Gates as people write them, and modules that only look like gates. All work on 8 channels of 16 × 16 maps."""

import torch
from torch import nn
from torch.nn import functional

C, R, SIDE = 8, 4, 16


def fc(*, bias=True, gate=nn.Sigmoid):
    return nn.Sequential(nn.Linear(C, R, bias=bias), nn.ReLU(inplace=True), nn.Linear(R, C, bias=bias), gate())


class SELayer(nn.Module):
    """The gate that most repositories copy."""

    def __init__(self, pool=nn.AdaptiveAvgPool2d, **kwargs):
        super().__init__()
        self.avg_pool = pool(1)
        self.fc = fc(**kwargs)

    def forward(self, x):
        b, c, _, _ = x.size()
        y = self.avg_pool(x).view(b, c)
        y = self.fc(y).view(b, c, 1, 1)
        return x * y.expand_as(x)


class FunctionalSigmoid(nn.Module):
    def __init__(self, function=torch.sigmoid):
        super().__init__()
        self.fc1, self.fc2, self.function = nn.Linear(C, R), nn.Linear(R, C), function

    def forward(self, x):
        y = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return x * self.function(self.fc2(functional.relu(self.fc1(y))))[:, :, None, None]


class Conv1x1(nn.Module):
    def __init__(self):
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(C, R, 1), nn.Conv2d(R, C, 1)
        self.act, self.sigmoid = nn.SiLU(), nn.Sigmoid()

    def forward(self, x):
        return self.sigmoid(self.expand(self.act(self.reduce(x.mean((2, 3), keepdim=True))))) * x


class OneSequential(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(C, R, 1), nn.BatchNorm2d(R), nn.ReLU(), nn.Conv2d(R, C, 1), nn.Sigmoid()
        )

    def forward(self, x):
        return x * self.gate(x)


class InPlace(SELayer):
    """A gate that overwrites U with X̃, and the output of its last layer with s."""

    def __init__(self):
        super().__init__(gate=nn.Identity)

    def forward(self, x):
        y = self.fc(self.avg_pool(x).flatten(1)).sigmoid_()
        return x.mul_(y[:, :, None, None])


class InPlaceFirst(nn.Module):
    """A gate that also overwrites z."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(nn.Tanh(), nn.ReLU(inplace=True), nn.Conv2d(C, C, 1), nn.Sigmoid())

    def forward(self, x):
        z = self.pool(x)
        s = self.fc(z)
        z.zero_()
        return x * s


class Squeezed(nn.Module):
    """A gate that loses the axis of a single image."""

    def __init__(self):
        super().__init__()
        self.fc = fc()

    def forward(self, x):
        y = self.fc(x.mean((2, 3)).squeeze())
        return x * y.view(len(x), C, 1, 1)


class FixedPool(SELayer):
    """A gate from before adaptive pooling, for maps of one size."""

    def __init__(self):
        super().__init__(pool=lambda _: nn.AvgPool2d(SIDE))


class HSigmoid(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU6(inplace=True)

    def forward(self, x):
        return self.relu(x + 3) / 6


class WithDropout(SELayer):
    def __init__(self):
        super().__init__()
        self.fc = nn.Sequential(self.fc, nn.Dropout(0.1))


class Eca(nn.Module):
    def __init__(self):
        super().__init__()
        self.avg_pool, self.sigmoid = nn.AdaptiveAvgPool2d(1), nn.Sigmoid()
        self.conv = nn.Conv1d(1, 1, kernel_size=3, padding=1, bias=False)

    def forward(self, x):
        y = self.conv(self.avg_pool(x).squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
        return x * self.sigmoid(y).expand_as(x)


class CbamChannel(nn.Module):
    """One MLP for the average and for the maximum."""

    def __init__(self):
        super().__init__()
        self.max_pool, self.avg_pool = nn.AdaptiveMaxPool2d(1), nn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = nn.Conv2d(C, R, 1, bias=False), nn.Conv2d(R, C, 1, bias=False)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        peak, mean = (self.fc2(functional.relu(self.fc1(pool(x)))) for pool in (self.max_pool, self.avg_pool))
        return x * self.sigmoid(peak + mean)


class SumOfPools(SELayer):
    """The mean of average and maximum into one MLP."""

    def __init__(self):
        super().__init__()
        self.max_pool = nn.AdaptiveMaxPool2d(1)

    def forward(self, x):
        y = self.fc(((self.avg_pool(x) + self.max_pool(x)) / 2).flatten(1))
        return x * y[:, :, None, None]


class GlobalContextLike(nn.Module):
    """A weighted mean as the squeeze, for maps with H · W = C, so that its attention is as long as z."""

    def __init__(self):
        super().__init__()
        self.attention, self.fc = nn.Sequential(nn.Conv2d(C, 1, 1), nn.BatchNorm2d(1)), fc()

    def forward(self, x):
        weights = self.attention(x).flatten(2).softmax(-1)
        z = (x.flatten(2) * weights).sum(-1)
        return x * self.fc(z)[:, :, None, None]


class OptionalArgument(SELayer):
    def forward(self, x, scale=None):
        return super().forward(x if scale is None else x * scale)


# What is written → (its squeeze, its gate function, its bottleneck).
FOUND = {
    "SELayer": (SELayer, "avg", "sigmoid", R),
    "without biases": (lambda: SELayer(bias=False), "avg", "sigmoid", R),
    "max squeeze": (lambda: SELayer(nn.AdaptiveMaxPool2d), "max", "sigmoid", R),
    "tanh": (lambda: SELayer(gate=nn.Tanh), "avg", "tanh", R),
    "relu": (lambda: SELayer(gate=nn.ReLU), "avg", "relu", R),
    "hard-sigmoid": (lambda: SELayer(gate=nn.Hardsigmoid), "avg", "hard-sigmoid", R),
    "its own hard-sigmoid": (lambda: SELayer(gate=HSigmoid), "avg", "hard-sigmoid", R),
    "a gate function without a name": (lambda: SELayer(gate=nn.Softplus), "avg", "other", R),
    "functional sigmoid": (FunctionalSigmoid, "avg", "sigmoid", R),
    "functional hard-sigmoid": (
        lambda: FunctionalSigmoid(lambda y: functional.relu6(y + 3) / 6),
        "avg",
        "hard-sigmoid",
        R,
    ),
    "functional tanh": (lambda: FunctionalSigmoid(torch.tanh), "avg", "tanh", R),
    "1 × 1 convolutions": (Conv1x1, "avg", "sigmoid", R),
    "one Sequential": (OneSequential, "avg", "sigmoid", R),
    "in place": (InPlace, "avg", "sigmoid", R),
    "z overwritten": (InPlaceFirst, "avg", "sigmoid", None),
    "squeeze()": (Squeezed, "avg", "sigmoid", R),
    "pool of a fixed size": (FixedPool, "avg", "sigmoid", R),
    "dropout behind the gate function": (WithDropout, "avg", "sigmoid", R),
    "ECA": (Eca, "avg", "sigmoid", None),
    "CBAM": (CbamChannel, "max, avg", "sigmoid", R),
    "sum of pools": (SumOfPools, "avg+max", "sigmoid", R),
    "weighted mean": (GlobalContextLike, "other", "sigmoid", R),
    "an optional argument": (OptionalArgument, "avg", "sigmoid", R),
}


class Residual(SELayer):
    """X̃ = (1 + s) · U, where no part computes 1 + s."""

    def forward(self, x):
        return x + super().forward(x)


class Rectified(SELayer):
    """X̃ = s · max(U, 0)."""

    def forward(self, x):
        return super().forward(x).relu()


class ScaleOnly(SELayer):
    """A module that returns s and leaves the product to the block."""

    def forward(self, x):
        return self.fc(self.avg_pool(x).flatten(1))[:, :, None, None]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.se = nn.Conv2d(C, C, 3, padding=1), ScaleOnly()

    def forward(self, x):
        x = self.conv(x)
        return x * self.se(x)


class Frozen(nn.Module):
    """A scale that no image changes, of learned logits."""

    def __init__(self):
        super().__init__()
        self.logits, self.sigmoid = nn.Parameter(torch.randn(C)), nn.Sigmoid()

    def forward(self, x):
        return x * self.sigmoid(self.logits.expand(len(x), C))[:, :, None, None]


class PerImage(nn.Module):
    """One weight for all channels of an image."""

    def __init__(self):
        super().__init__()
        self.fc, self.sigmoid = nn.Linear(C, 1), nn.Sigmoid()

    def forward(self, x):
        return x * self.sigmoid(self.fc(x.mean((2, 3))))[:, :, None, None]


class Spatial(nn.Module):
    """One weight for all channels of a pixel."""

    def __init__(self):
        super().__init__()
        self.conv, self.sigmoid = nn.Conv2d(2, 1, 7, padding=3), nn.Sigmoid()

    def forward(self, x):
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * self.sigmoid(self.conv(both))


class Additive(SELayer):
    def forward(self, x):
        return x + self.fc(self.avg_pool(x).flatten(1))[:, :, None, None]


# Read at the multiplication, because no module has s or z as output.
WATCHED = {"functional sigmoid", "functional hard-sigmoid", "functional tanh", "in place"}

# Gates that are found although the module around them is not a gate → the path of the module that multiplies.
FOUND_INSIDE = {
    "residual": (Residual, "gate"),
    "rectified": (Rectified, "gate"),
    "product in the block": (Block, "gate"),
}

NOT_FOUND = {
    "frozen": Frozen,
    "frozen in a Sequential": lambda: nn.Sequential(Frozen()),
    "BatchNorm": lambda: nn.Sequential(nn.BatchNorm2d(C)),
    "one weight an image": PerImage,
    "spatial": Spatial,
    "additive": Additive,
    "nothing": lambda: nn.Sequential(nn.Conv2d(C, C, 1), nn.ReLU()),
}
