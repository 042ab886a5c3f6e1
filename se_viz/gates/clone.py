"""Copies of a network's modules with the same weights, for operations that must not touch a network in use."""

import copy
from collections import OrderedDict
from itertools import chain

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

# The copy fails if a thread adds or removes a hook meanwhile; it is then tried again.
_ATTEMPTS = 10

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_OF_INSTRUMENTS = "se_viz.gates."  # the modules whose functions are hooks of instruments


def clone_sharing_weights(network: nn.Module, *, buffers: bool = True) -> nn.Module:
    """Return a copy of all modules that shares the network's parameters and has no hooks of instruments.

    Args:
        network: the network, which is not changed. Parameters that a lazy module has not initialised yet are not
            shared, so that a pass through the clone does not initialise them.
        buffers: whether buffers are shared too; otherwise they are copied, so that no pass through the clone writes
            into the buffers of the network.

    Raises:
        Exception: a part of the network cannot be copied; the type depends on that part.
    """
    shared = {id(tensor): tensor for tensor in _tensors(network, buffers=buffers)}
    for attempt in range(_ATTEMPTS):
        try:
            clone = copy.deepcopy(network, {**shared, **_empty_tables(network)})
            break
        except RuntimeError as error:
            if ("changed size" not in str(error) and "mutated during" not in str(error)) or attempt + 1 == _ATTEMPTS:
                raise
    remove_instruments(clone)
    return clone


def copy_without_hooks(network: nn.Module) -> nn.Module:
    """Return a copy of a network with its weights, without the hooks of instruments; other hooks are kept."""
    bare = copy.deepcopy(network, _empty_tables(network))
    remove_instruments(bare)
    return bare


def remove_instruments(network: nn.Module) -> None:
    """Remove the hooks of instruments from a copy of a network; other hooks are kept."""
    for module in network.modules():
        for table in _HOOKS:
            hooks = getattr(module, table)
            for number, hook in list(hooks.items()):
                if str(getattr(hook, "__module__", None)).startswith(_OF_INSTRUMENTS):
                    del hooks[number]


def _empty_tables(network: nn.Module) -> dict[int, object]:
    """Return, by the identity of each empty table of hooks, another empty one, for the memo of ``deepcopy``.

    A module has ten such tables, and to copy one in the general way takes as long as to copy a small tensor: two fifths
    of the time of a copy that shares its weights.
    """
    tables = chain.from_iterable(vars(module).values() for module in network.modules())
    return {id(table): OrderedDict() for table in tables if type(table) is OrderedDict and not table}


def _tensors(network: nn.Module, *, buffers: bool) -> list[Tensor]:
    kept: list[Tensor] = [tensor for tensor in network.parameters() if not is_lazy(tensor)]
    if buffers:
        kept += [tensor for tensor in network.buffers() if not is_lazy(tensor)]
    # A tensor computed from parameters (for instance by weight_norm) and kept as an attribute cannot be copied.
    attributes = chain.from_iterable(vars(module).values() for module in network.modules())
    kept += [value for value in attributes if isinstance(value, Tensor) and not value.is_leaf]
    return kept
