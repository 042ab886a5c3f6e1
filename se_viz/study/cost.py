"""What SE costs: parameters, multiply-accumulates and time of a network's gates, by stage (Section 4 of the paper)."""

import copy
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.utils.benchmark import Timer
from torchvision.models import get_model

from se_viz.gates.find import find_gates
from se_viz.gates.gate import Gate
from se_viz.gates.mode import evaluating
from se_viz.gates.trace import image_channels, placement, watched
from se_viz.study.insert import insert_gates
from se_viz.zoo.macs import counting


@dataclass(frozen=True, slots=True)
class StageCost:
    """What the gates of one stage cost.

    Attributes:
        stage: i where the block works at 1/2^i of the input's resolution.
        gates: how many.
        params: their weights and biases.
        macs: multiply-accumulates of their FC layers for one image, by ``macs.RULE``.
        elementwise: additions of the squeeze (averages) and multiplications of the scale for one image, 2 · C · H · W
            for each gate, which are not in ``macs``.
    """

    stage: int
    gates: int
    params: int
    macs: int
    elementwise: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs with its gates, and which part of it is theirs.

    Attributes:
        params: of the whole network.
        macs: of the whole network for one image, by ``macs.RULE``.
        stages: the gates' part, by stage.
        left_out: operators whose multiply-accumulates are not known and not in ``macs``, and how often each ran.
    """

    params: int
    macs: int
    stages: tuple[StageCost, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def kept(self, stages: Collection[int] = ()) -> tuple[int, int]:
        """Parameters and multiply-accumulates if only the gates of ``stages`` were there; none by default."""
        gone = [stage for stage in self.stages if stage.stage not in stages]
        return self.params - sum(stage.params for stage in gone), self.macs - sum(stage.macs for stage in gone)

    @property
    def elementwise(self) -> int:
        """Operations of all squeezes and scales, which are not in ``macs``."""
        return sum(stage.elementwise for stage in self.stages)


def se_weights(blocks: Iterable[tuple[int, int]], r: int) -> int:
    """(2/r) · Σ N_s · C_s², the weights that gates without biases add (Section 4).

    Args:
        blocks: of each stage, the number of blocks N_s and of gated channels C_s.
        r: reduction ratio.
    """
    return sum(2 * count * channels * max(1, channels // r) for count, channels in blocks)


def cost(network: nn.Module, side: int, gates: tuple[Gate, ...] | None = None) -> Cost:
    """Count a network and its gates.

    Args:
        network: on any device, in any mode.
        side: of its square images, pixels; parameters do not depend on it.
        gates: as found by ``find_gates``; found here if not given.

    Raises:
        InstrumentError: the network has no gates, or does not take such images.
    """
    gates = find_gates(network, side) if gates is None else gates
    device, dtype = placement(network)
    units = {gate.path: network.get_submodule(gate.path) for gate in gates}
    sizes = dict.fromkeys(units.values(), 0)
    macs = dict.fromkeys(units.values(), 0)
    image = torch.zeros((1, image_channels(network), side, side), device=device, dtype=dtype)
    with evaluating(network), torch.inference_mode(), counting() as count:

        def before(unit: nn.Module, _value: object) -> None:
            macs[unit] -= count.macs

        def after(unit: nn.Module, value: object) -> None:
            macs[unit] += count.macs
            # X̃ has the size of U, which need not be the first argument.
            sizes[unit] += value.numel() if isinstance(value, Tensor) else 0

        with watched(sizes, before, after):
            network(image)

    def stage_cost(stage: int) -> StageCost:
        of_stage = [gate for gate in gates if gate.stage == stage]
        # A gate's module may run in several places, each a gate by name: it is counted once, where it stands first.
        first = {gate.path: gate.stage for gate in reversed(gates)}
        own = list(dict.fromkeys(units[gate.path] for gate in of_stage if first[gate.path] == stage))
        return StageCost(
            stage=stage,
            gates=len(of_stage),
            params=sum(p.numel() for unit in own for p in unit.parameters()),
            macs=sum(macs[unit] for unit in own),
            elementwise=sum(2 * sizes[unit] for unit in own),
        )

    return Cost(
        params=sum(p.numel() for p in network.parameters()),
        macs=count.macs,
        stages=tuple(stage_cost(stage) for stage in sorted({gate.stage for gate in gates})),
        left_out=count.left_out,
    )


# Networks without SE that the calculator offers, with the side of their images; any other goes by ``insert_gates``.
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
class Sites:
    """A network without SE and where gates would go: parameters, multiply-accumulates, and by stage C of each gate."""

    params: int
    macs: int
    channels: dict[int, tuple[int, ...]]


def gated_sites(name: str) -> Sites:
    """Count a network of torchvision's by its name in ``NETWORKS``; its weights do not matter and stay random."""
    options = {} if name.startswith("res") else {"init_weights": False}
    network = get_model(name, weights=None, **options).eval()
    gated = insert_gates(network, size=NETWORKS[name])
    gates = find_gates(gated, NETWORKS[name])
    params, macs = cost(gated, NETWORKS[name], gates).kept()
    stages = sorted({gate.stage for gate in gates})
    return Sites(params, macs, {stage: tuple(g.channels for g in gates if g.stage == stage) for stage in stages})


def without_gates(network: nn.Module, gates: Iterable[Gate]) -> nn.Module:
    """The same weights in a copy of the modules in which some gates are gone (s = 1 everywhere)."""
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    plain = copy.deepcopy(network, shared)
    for gate in gates:
        plain.set_submodule(gate.path, nn.Identity())
    return plain


def milliseconds(network: nn.Module, side: int, seconds: float = 1.0) -> float:
    """Median time of one image (1, 3, side, side) in eval mode, measured for some seconds."""
    device, dtype = placement(network)
    images = torch.zeros((1, 3, side, side), device=device, dtype=dtype)
    with evaluating(network), torch.inference_mode():
        timer = Timer(
            "network(images)", globals={"network": network, "images": images}, num_threads=torch.get_num_threads()
        )
        return float(timer.blocked_autorange(min_run_time=seconds).median) * 1e3
