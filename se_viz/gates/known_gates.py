"""The gate classes of timm, torchvision and this project, and where each keeps z and s.

Classes are matched by qualified name over the whole ancestry, so neither library is imported and subclasses count.
Attribute names of the network around a gate say nothing: ``se``, ``attn``, ``layers.5`` all occur.
"""

from dataclasses import dataclass

from torch import nn

from se_viz.gates.gate import Layout, TapPoint


@dataclass(frozen=True, slots=True)
class KnownGate:
    """Where a class of gates keeps z and s, and whether its U comes as NHWC."""

    z: TapPoint
    s: TapPoint
    layout: Layout = "nchw"


def _kind(z: str, s: str, layout: Layout = "nchw") -> KnownGate:
    return KnownGate(TapPoint(z, "input"), TapPoint(s, "output"), layout)


_KINDS = {
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
    """The entry for a module's class or the nearest of its ancestors; None for an unknown class."""
    for cls in type(module).__mro__:
        kind = _KINDS.get(f"{cls.__module__}.{cls.__qualname__}")
        if kind is not None:
            return kind
    return None


def known_kinds() -> tuple[str, ...]:
    """Qualified names of the classes matched by name."""
    return tuple(_KINDS)
