"""Eval mode, shared by all readers of a network."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from threading import Lock
from weakref import WeakKeyDictionary

from torch import nn

from se_viz.gates.shared_context import SharedContext

_shared: WeakKeyDictionary[nn.Module, SharedContext] = WeakKeyDictionary()
_lock = Lock()


def hold_eval_mode(network: nn.Module) -> AbstractContextManager[None]:
    """Keep a network in eval mode while any caller holds it; the last one to leave restores each module's mode.

    All callers share one such context per network. A second context would take the eval mode of the first for the
    network's original mode.
    """
    with _lock:
        shared = _shared.setdefault(network, SharedContext())
    return shared.hold(partial(_eval, network))


@contextmanager
def _eval(network: nn.Module) -> Iterator[None]:
    training = [module for module in network.modules() if module.training]
    # Set the flags instead of calling eval(): train() would lose the modes of single modules, and some networks
    # rewrite weights in it.
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
