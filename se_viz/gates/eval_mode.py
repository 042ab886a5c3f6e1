"""Eval mode, held together by all that read a network."""

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
    """Hold a network in eval mode; whoever lets go last gives every module the mode it had.

    There is one such context for a network, whoever asks, as a second one would take the first one's eval mode for
    the network's own.
    """
    with _lock:
        shared = _shared.setdefault(network, SharedContext())
    return shared.hold(partial(_eval, network))


@contextmanager
def _eval(network: nn.Module) -> Iterator[None]:
    training = [module for module in network.modules() if module.training]
    # Flags, not eval(): train() would lose the modes of single modules, and some networks rewrite weights in it.
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
