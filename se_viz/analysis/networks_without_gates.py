"""Networks of torchvision without SE, and their cost with gates in each stage at any r."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import nn
from torchvision.models import get_model

from se_viz.analysis.cost import Cost, StageCost, cost, se_weights
from se_viz.gates.find import find_gates
from se_viz.gates.insert_gates import insert_gates

# Networks that the calculator offers, with the side of their images. ``insert_gates`` accepts others too.
NETWORKS: dict[str, int] = {
    "resnet50": 224,
    "resnet18": 224,
    "resnet101": 224,
    "resnext50_32x4d": 224,
    "vgg16_bn": 224,
    "inception_v3": 299,
    "googlenet": 224,
}


@dataclass(frozen=True, slots=True)
class NetworkWithoutGates:
    """A network without SE, and the gates that can be inserted into it.

    Attributes:
        params: parameters of the network.
        macs: its multiply-accumulates for one image.
        channels: the channels C of each gate to insert, by stage.
        elementwise: operations of their squeezes and scales, by stage, as in ``StageCost``.
    """

    params: int
    macs: int
    channels: Mapping[int, tuple[int, ...]]
    elementwise: Mapping[int, int]

    def cost(self, r: int, stages: Collection[int]) -> Cost:
        """Return the cost with gates of ratio r in some stages.

        Their FC layers have no biases and use each weight once for an image, so that they have as many
        multiply-accumulates as weights.
        """
        added = {stage: se_weights(((1, c) for c in self.channels[stage]), r) for stage in self.channels}
        whole = Cost(
            self.params + sum(added.values()),
            self.macs + sum(added.values()),
            tuple(
                StageCost(stage, len(c), tuple(sorted(set(c))), added[stage], added[stage], self.elementwise[stage])
                for stage, c in self.channels.items()
            ),
        )
        return whole.with_gates_of(stages)


def without_weights(name: str) -> nn.Module:
    """Return a network by its name in ``NETWORKS`` in eval mode; its weights do not matter for cost and are random."""
    options = {} if name.startswith("res") else {"init_weights": False}
    network: nn.Module = get_model(name, weights=None, **options)
    return network.eval()


def network_without_gates(name: str) -> NetworkWithoutGates:
    """Count a network by its name in ``NETWORKS``."""
    gated = insert_gates(without_weights(name), size=NETWORKS[name])
    gates = find_gates(gated, NETWORKS[name])
    counted = cost(gated, NETWORKS[name], gates)
    return NetworkWithoutGates(
        *counted.totals(),
        {stage.stage: tuple(g.channels for g in gates if g.stage == stage.stage) for stage in counted.stages},
        {stage.stage: stage.elementwise for stage in counted.stages},
    )
