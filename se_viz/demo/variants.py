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


_NO_SE = SEResNetConfig(r=None)
_SEEDS = (1, 2)
_PLACES: tuple[Integration, ...] = ("pre", "post", "identity")

# In the order of their importance for the page: ratios, the network without SE, then the paper's Tables 11 to 14; then
# more seeds, first of the networks whose differences are claimed.
VARIANTS = (
    Variant(SEResNetConfig()),
    Variant(SEResNetConfig(r=2)),
    Variant(_NO_SE),
    Variant(SEResNetConfig(r=32)),
    Variant(SEResNetConfig(r=4)),
    Variant(SEResNetConfig(r=8)),
    Variant(SEResNetConfig(squeeze="max")),
    Variant(SEResNetConfig(gate="relu")),
    Variant(SEResNetConfig(gate="tanh")),
    Variant(SEResNetConfig(gated_stages=(2, 3, 4))),
    *(Variant(config, seed) for seed in _SEEDS for config in (SEResNetConfig(), _NO_SE)),
    Variant(SEResNetConfig(integration="pre")),
    Variant(SEResNetConfig(integration="post")),
    Variant(SEResNetConfig(integration="identity")),
    *(Variant(SEResNetConfig(r=r), seed) for seed in _SEEDS for r in (2, 32)),
    *(Variant(SEResNetConfig(integration=place), seed) for seed in _SEEDS for place in _PLACES),
    *(Variant(SEResNetConfig(r=r), seed) for seed in _SEEDS for r in (4, 8)),
    *(Variant(SEResNetConfig(squeeze="max"), seed) for seed in _SEEDS),
    *(Variant(SEResNetConfig(gate="tanh"), seed) for seed in _SEEDS),
)
