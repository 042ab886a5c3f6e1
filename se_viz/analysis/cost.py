"""The cost of SE: parameters, multiply-accumulates and time of a network's gates, by stage (paper, Section 4)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torchvision.models import get_model

from se_viz.analysis.parameter_macs import ParameterMacs
from se_viz.gates.clone import clone_sharing_weights
from se_viz.gates.eval_mode import hold_eval_mode
from se_viz.gates.find import find_gates
from se_viz.gates.gate import Gate
from se_viz.gates.gate_parameters import parameters_of
from se_viz.gates.insert_gates import insert_gates
from se_viz.gates.instrument import Instrument
from se_viz.gates.macs import counting
from se_viz.gates.trace import image_channels, placement, watched


class CannotRemove(ValueError):
    """Raised if a gate cannot be removed from its network; the message says why."""


@dataclass(frozen=True, slots=True)
class StageCost:
    """Cost of the gates of one stage.

    Attributes:
        stage: i if the block works at 1/2^i of the input's resolution.
        gates: number of gates.
        params: number of their weights and biases.
        macs: multiply-accumulates of their FC layers for one image, counted by ``macs.RULE``.
        elementwise: additions of the squeeze (averages) and multiplications of the scale for one image, 2 · C · H · W
            for each gate; they are not part of ``macs``.
    """

    stage: int
    gates: int
    params: int
    macs: int
    elementwise: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a network with its gates, and the gates' part of it.

    Attributes:
        params: parameters of the whole network.
        macs: multiply-accumulates of the whole network for one image, counted by ``macs.RULE``.
        stages: the gates' part, by stage.
        left_out: operators whose multiply-accumulates are unknown and not part of ``macs``, with the number of calls.
    """

    params: int
    macs: int
    stages: tuple[StageCost, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def kept(self, stages: Collection[int] = ()) -> tuple[int, int]:
        """Return parameters and multiply-accumulates with the gates of these stages only; by default, without gates."""
        removed = [stage for stage in self.stages if stage.stage not in stages]
        return self.params - sum(stage.params for stage in removed), self.macs - sum(stage.macs for stage in removed)

    @property
    def elementwise(self) -> int:
        """Operations of all squeezes and scales; they are not part of ``macs``."""
        return sum(stage.elementwise for stage in self.stages)


@dataclass(slots=True, eq=False)
class _Share:
    """One gate's share: multiply-accumulates, numbers in its maps, parameters."""

    stage: int
    macs: int = 0
    maps: int = 0
    parameters: set[nn.Parameter] = field(default_factory=set)


def se_weights(blocks: Iterable[tuple[int, int]], r: int) -> int:
    """Return (2/r) · Σ N_s · C_s², the number of weights that gates without biases add (Section 4).

    Args:
        blocks: for each stage, the number of blocks N_s and of gated channels C_s.
        r: reduction ratio.
    """
    return sum(2 * count * channels * max(1, channels // r) for count, channels in blocks)


def cost(network: nn.Module, side: int, gates: tuple[Gate, ...] | None = None) -> Cost:
    """Count parameters and multiply-accumulates of a network and its gates.

    Args:
        network: on any device, in any mode.
        side: side of its square images, in pixels; parameters do not depend on it.
        gates: from ``find_gates``, which is called if they are not given.

    Raises:
        InstrumentError: the network has no gates, or does not accept such images.
    """
    gates = find_gates(network, side) if gates is None else gates
    device, dtype = placement(network)
    # A module may run at several places, each of which is a gate with a name. Its weights count once, at its first run.
    units = {network.get_submodule(gate.path): _Share(gate.stage) for gate in reversed(gates) if gate.product is None}
    watched_gates = tuple(gate for gate in gates if gate.product is not None)
    shares = {gate.name: _Share(gate.stage) for gate in watched_gates}
    image = torch.zeros((1, image_channels(network), side, side), device=device, dtype=dtype)
    with hold_eval_mode(network), torch.no_grad(), counting() as count:

        def before(unit: nn.Module, _value: object) -> None:
            units[unit].macs -= count.macs

        def after(unit: nn.Module, value: object) -> None:
            units[unit].macs += count.macs
            # U need not be the first argument, but X̃ has its size.
            units[unit].maps += value.numel() if isinstance(value, Tensor) else 0

        owners: dict[int, _Share] = {}
        for gate in watched_gates:
            for parameter in parameters_of(network, gate):
                owners.setdefault(id(parameter), shares[gate.name])
        with watched(units, before, after):
            if watched_gates:
                maps = frozenset(shares)
                with Instrument(network, watched_gates).capturing(maps) as sink, ParameterMacs(owners, count):
                    sink.network(image)
                for name, share in shares.items():
                    u = sink.kept.get((name, "u"))
                    share.maps += 0 if u is None else u.numel()
            else:
                network(image)
    for unit, share in units.items():
        share.parameters.update(unit.parameters())
    seen: set[nn.Parameter] = set()
    for gate in watched_gates:
        shares[gate.name].parameters.update(set(parameters_of(network, gate)) - seen)
        seen |= shares[gate.name].parameters

    def stage_cost(stage: int) -> StageCost:
        members = [share for share in (*units.values(), *shares.values()) if share.stage == stage]
        return StageCost(
            stage=stage,
            gates=sum(gate.stage == stage for gate in gates),
            params=sum(parameter.numel() for share in members for parameter in share.parameters),
            macs=sum(share.macs for share in members),
            elementwise=sum(2 * share.maps for share in members),
        )

    return Cost(
        params=sum(p.numel() for p in network.parameters()),
        macs=count.macs,
        stages=tuple(stage_cost(stage) for stage in sorted({gate.stage for gate in gates})),
        left_out=count.left_out,
    )


# Networks without SE that the calculator offers, with the side of their images. ``insert_gates`` accepts others too.
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
    """A network without SE: parameters, multiply-accumulates, and the channels C of each gate to insert, by stage."""

    params: int
    macs: int
    channels: dict[int, tuple[int, ...]]


def gated_sites(name: str) -> Sites:
    """Count a network of torchvision by its name in ``NETWORKS``; its weights do not matter and are random."""
    options = {} if name.startswith("res") else {"init_weights": False}
    network = get_model(name, weights=None, **options).eval()
    gated = insert_gates(network, size=NETWORKS[name])
    gates = find_gates(gated, NETWORKS[name])
    params, macs = cost(gated, NETWORKS[name], gates).kept()
    stages = sorted({gate.stage for gate in gates})
    return Sites(params, macs, {stage: tuple(g.channels for g in gates if g.stage == stage) for stage in stages})


def without_gates(network: nn.Module, gates: Iterable[Gate]) -> nn.Module:
    """Return a copy of the network without some gates (s = 1 everywhere); it shares the weights.

    Raises:
        CannotRemove: one of the gates is not a module and cannot be removed.
    """
    removed = list(gates)
    inline = [gate.name for gate in removed if gate.product is not None]
    if inline:
        raise CannotRemove(
            f"The time without {', '.join(inline)} cannot be measured: the code of the block multiplies by s, so there "
            f"is no module to remove."
        )
    plain = clone_sharing_weights(network)
    for gate in removed:
        plain.set_submodule(gate.path, nn.Identity())
    return plain


def median_latency_ms(network: nn.Module, side: int, seconds: float = 1.0) -> float:
    """Return the median time of a forward pass of one image (1, 3, side, side) in eval mode.

    Args:
        network: on any device.
        side: side of the image, in pixels.
        seconds: how long to measure.
    """
    # This import prints a warning where CUDA's compiler is installed, but no GPU.
    from torch.utils.benchmark import Timer  # noqa: PLC0415

    device, dtype = placement(network)
    images = torch.zeros((1, 3, side, side), device=device, dtype=dtype)
    with hold_eval_mode(network), torch.no_grad():
        timer = Timer(
            "network(images)", globals={"network": network, "images": images}, num_threads=torch.get_num_threads()
        )
        return float(timer.blocked_autorange(min_run_time=seconds).median) * 1e3
