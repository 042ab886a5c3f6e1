"""Variants of the demo network: each differs from r = 16 in one setting or in the seed; the recipe is the same."""

from dataclasses import dataclass

from se_viz.demo.build import name_of
from se_viz.demo.pretrained import SEEDS
from se_viz.demo.seresnet import Integration, SEResNetConfig


@dataclass(frozen=True, slots=True)
class Variant:
    """A configuration and a seed.

    Only the weights of seed 0 are bundled. The other seeds show how much of a difference is noise.
    """

    config: SEResNetConfig
    seed: int = 0

    @property
    def name(self) -> str:
        """Name of its files, for instance "r16-max"."""
        return name_of(self.config, self.seed)

    @property
    def folder(self) -> str:
        """Folder of its card, relative to the folder of the bundled models."""
        return SEEDS if self.seed else "."


_SEEDS = (1, 2, 3, 4)
_PLACES: tuple[Integration, ...] = ("pre", "post", "identity")
_DIVERGES = "relu"
"""A gate function whose s has no upper end: with each of these seeds its loss became NaN within four epochs."""

# Ratios and the network without SE come first, then the variants of the paper's Tables 11 to 14.
_NETWORKS = (
    SEResNetConfig(),
    SEResNetConfig(r=2),
    SEResNetConfig(r=None),
    SEResNetConfig(r=32),
    SEResNetConfig(r=4),
    SEResNetConfig(r=8),
    SEResNetConfig(squeeze="max"),
    SEResNetConfig(gate="relu"),
    SEResNetConfig(gate="tanh"),
    SEResNetConfig(gated_stages=(2, 3, 4)),
    *(SEResNetConfig(integration=place) for place in _PLACES),
)

VARIANTS = (
    *(Variant(network) for network in _NETWORKS),
    *(Variant(network, seed) for seed in _SEEDS for network in _NETWORKS if network.gate != _DIVERGES),
)
