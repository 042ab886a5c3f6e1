"""The gate classes of timm, torchvision and this project, and where each of them computes z and s.

Classes are matched by qualified name over all base classes, so neither library is imported and subclasses count. The
attribute names of gates in a network are not used: ``se``, ``attn``, ``layers.5`` all occur.
"""

from dataclasses import dataclass

from torch import nn

from se_viz.gates.gate import Layout, TapPoint


@dataclass(frozen=True, slots=True)
class KnownGate:
    """The points where a class of gates takes z and returns s, and the layout of its U."""

    z: TapPoint
    s: TapPoint
    layout: Layout = "nchw"


def _kind(z: str, s: str, layout: Layout = "nchw") -> KnownGate:
    return KnownGate(TapPoint(z, "input"), TapPoint(s, "output"), layout)


# By the qualified name of a class.
KINDS = {
    "se_viz.gates.se_unit.SEGate": _kind("fc1", "gate"),
    "timm.layers.squeeze_excite.SEModule": _kind("fc1", "gate"),
    "timm.layers.squeeze_excite.EffectiveSEModule": _kind("fc", "gate"),
    "timm.layers.squeeze_excite.SqueezeExciteCl": _kind("fc1", "gate", "nhwc"),
    "timm.layers.eca.EcaModule": _kind("conv", "gate"),
    "timm.layers.eca.CecaModule": KnownGate(TapPoint("conv", "input", padded=True), TapPoint("gate", "output")),
    "timm.layers.cbam.ChannelAttn": _kind("fc1", "gate"),
    "timm.models._efficientnet_blocks.SqueezeExcite": _kind("conv_reduce", "gate"),
    "timm.models.senet.SEModule": _kind("fc1", "sigmoid"),
    "timm.models.hgnet.EseModule": _kind("conv", "sigmoid"),
    "torchvision.ops.misc.SqueezeExcitation": _kind("fc1", "scale_activation"),
}


def kind_of(module: nn.Module) -> KnownGate | None:
    """Return the entry for a module's class or its nearest known base class; None for an unknown class."""
    for cls in type(module).__mro__:
        kind = KINDS.get(f"{cls.__module__}.{cls.__qualname__}")
        if kind is not None:
            return kind
    return None
