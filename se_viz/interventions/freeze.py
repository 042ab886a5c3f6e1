"""A copy of a network in which some gates multiply by constants, or are folded into the weights beside them."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from se_viz.gates.find import find_gates
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.macs import counting
from se_viz.gates.private_copy import undisturbed
from se_viz.gates.trace import Size, noise, placement, trace
from se_viz.interventions.baseline import mean_weights
from se_viz.interventions.constant_gates import CannotFreeze, own_copy, put_constants, replace_module
from se_viz.interventions.edits import Edits, MeanOf, Scale, Shuffle, Sources, Swap, resolve
from se_viz.interventions.frozen_network import FrozenGate, FrozenNetwork
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.types import AnyFloats, Floats
from se_viz.weights.meta_model import count_params

Constant: TypeAlias = float | str | AnyFloats | Tensor | Sequence[float] | MeanOf
"""A number, C numbers, "mean" or ``mean_of(class)``."""


def freeze(
    network: Model | Instrument | nn.Module,
    values: Mapping[str, Constant],
    *,
    profiles: ClassProfiles | None = None,
    size: Size | None = None,
) -> FrozenNetwork:
    """Return a copy of a network in which gates multiply by constants: ``freeze(model, {"SE_5_2": "mean"})``.

    The modules of these gates are removed. s is folded into the BatchNorm or convolution beside the gate where a pass
    shows that to be exact; elsewhere it multiplies U. The outputs equal those of ``capture(…, edits=values)``, in
    float32 to about 1e-6 of the largest logit. The copy shares no weights with the network, which is not changed.

    Args:
        network: a ``Model``, whose published network is taken, or any network whose gates can be found.
        values: what replaces s, by a gate's name, "stage 4" or "all": a number, C numbers, "mean", ``mean_of(class)``.
        profiles: where "mean" is taken from; the bundled class profiles of a demo model if not given.
        size: size of the images of a bare network, (height, width) or the side of a square (default: a size that it
            takes).

    Raises:
        KeyError: a name is not that of a gate.
        ValueError, TypeError: a value is not a constant, or does not fit the gate.
        NoMean: no class profiles say what the mean is.
        CannotFreeze: a gate cannot be made a constant.
        InstrumentError: the network cannot be read, see ``find_gates``, or not copied.
    """
    module = network.network if isinstance(network, Model | Instrument) else network
    size = network.preprocess.crop if isinstance(network, Model) else size
    gates = network.gates if isinstance(network, Model | Instrument) else find_gates(module, size)
    constants = _constants(values, gates, network, profiles)
    _check(gates, constants)
    device, dtype = placement(module)
    with undisturbed(device):
        # Passes are made in a copy that is thrown away, as a network may keep something of its first.
        tried, copy = own_copy(module), own_copy(module)
        channels, height, width = _input(tried, size)
        images = noise(channels, height, width).to(device, dtype)
        before, macs_before = count_params(tried), _macs(tried, images[:1])
        how = put_constants(tried, [gate for gate in gates if gate.name in constants], constants, images)
        after, macs_after = count_params(tried), _macs(tried, images[:1])
        for path, said in how.items():
            replace_module(copy, copy.get_submodule(path), tried.get_submodule(path))
            if said.startswith("into "):
                folded = said.rpartition(" ")[2]
                copy.get_submodule(folded)._parameters.update(tried.get_submodule(folded)._parameters)
    frozen = tuple(
        FrozenGate(
            gate.name,
            gate.path,
            constants[gate.name].numpy(),
            how[gate.path],
            gate.layout,
            getattr(copy.get_submodule(gate.path), "overwrites", False),
        )
        for gate in gates
        if gate.name in constants
    )
    named = network if isinstance(network, Model) else None
    return FrozenNetwork(
        copy, frozen, before, after, macs_before, macs_after, (channels, height, width),
        named.name if named else "", named.classes if named else (), named.preprocess if named else None,
    )  # fmt: skip


def _constants(
    values: Mapping[str, Constant], gates: Sequence[Gate], network: object, profiles: ClassProfiles | None
) -> dict[str, Tensor]:
    """Return s of each gate that is to be a constant (C,), in double precision."""
    if not isinstance(values, Mapping):
        raise TypeError(
            f'Say which gates to freeze and to what, as in {{"{gates[0].name}": "mean"}}, not {type(values).__name__}.'
        )
    if not values:
        raise ValueError('Say which gates to freeze and to what, as in {"SE_5_2": "mean"}.')
    for key, value in values.items():
        if isinstance(value, Swap | Shuffle | Scale | Mapping):
            raise TypeError(
                f'{key} can be frozen to a number, C numbers, "mean" or mean_of(…), the same for each image, not to '
                f"{'single channels' if isinstance(value, Mapping) else f'{type(value).__name__.lower()}(…)'}."
            )

    by_name = {gate.name: gate for gate in gates}

    def mean(gate: str, name: str | None) -> Floats:
        return mean_weights(network, gate, profiles, name, channels=by_name[gate].channels)

    edits: Edits = dict(values)
    replacements = resolve(edits, gates, Sources(1, _not_asked, _not_asked, mean))
    return {
        name: replace(torch.zeros(1, by_name[name].channels, dtype=torch.float64), 0)[0].clone()
        for name, replace in replacements.items()
    }


def _not_asked(*_: object) -> Floats:
    raise AssertionError("A constant needs no pass")


def _check(gates: Sequence[Gate], constants: Mapping[str, Tensor]) -> None:
    inline = [gate.name for gate in gates if gate.name in constants and gate.product is not None]
    if inline:
        raise CannotFreeze(
            f"{', '.join(inline)} cannot be frozen: the code of the block multiplies by s, and there is no module to "
            "take out. Use capture(…, edits=…) to see what a constant does, or give the block a module for its gate."
        )
    for gate in gates:
        same = [one for one in gates if one.path == gate.path and one.product is None]
        if gate.name in constants and len(same) > 1:
            given = [constants.get(one.name) for one in same]
            if any(one is None or not torch.equal(one, constants[gate.name]) for one in given):
                raise CannotFreeze(
                    f"{', '.join(one.name for one in same)} are runs of one module, {gate.path}: freeze all of them "
                    "to the same weights, or none."
                )


def _input(network: nn.Module, size: Size | None) -> tuple[int, int, int]:
    _, channels, height, width = trace(network, size, private=True).images
    return channels, height, width


def _macs(network: nn.Module, image: Tensor) -> int:
    with torch.no_grad(), counting() as count:
        network(image.clone())
    return count.macs
