"""The parameters of a network that belong to a gate."""

from torch import nn

from se_viz.gates.gate import Gate


def parameters_of(network: nn.Module, gate: Gate) -> tuple[nn.Parameter, ...]:
    """Return the parameters of a gate.

    They are those of its module, or, if the gate is not a module, those that s is computed with. A module that runs
    several times is several gates with the same parameters.
    """
    if gate.product is None:
        return tuple(network.get_submodule(gate.path).parameters())
    return tuple(network.get_parameter(name) for name in gate.parameters)
