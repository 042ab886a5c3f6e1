"""A private copy of a network for the search, so that the network and the state of its caller do not change."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from se_viz.device.memory import is_out_of_memory
from se_viz.gates.clone import clone_sharing_weights
from se_viz.gates.eval_mode import hold_eval_mode

HALF = (torch.float16, torch.bfloat16)


@contextmanager
def undisturbed(device: torch.device) -> Iterator[None]:
    """Protect grad mode, autocast and random number generators of the caller from changes inside the block."""
    generators = [] if device.type == "cpu" else [device.index or 0]
    kind = "cuda" if device.type == "cpu" else device.type
    python, numpy = random.getstate(), np.random.get_state()
    with (
        torch.random.fork_rng(generators, device_type=kind),
        # The caller may be in inference mode.
        torch.inference_mode(False),
        torch.no_grad(),
        torch.autocast(device.type, enabled=False),
        torch.autocast("cpu", enabled=False),
    ):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


@contextmanager
def private_copy(network: nn.Module, *, widen: bool) -> Iterator[tuple[nn.Module, bool]]:
    """Give a copy of the network's modules and True; the network itself and False if it cannot be copied.

    Args:
        network: the network to search.
        widen: whether the copy computes in float32 where the network has half-precision weights.
    """
    try:
        copy = clone_sharing_weights(network, buffers=False)
    except Exception as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise
        # The copy of any part may fail with any exception.
        with hold_eval_mode(network):
            yield network, False
        return
    for module in copy.modules():
        module.training = False
    _wake(copy)
    if widen:
        _widen(copy)
    yield copy, True


def _widen(copy: nn.Module) -> None:
    """Replace half-precision weights by float32 copies: with 8 bits of mantissa, s hides differences of 0.001."""
    wide: dict[int, Tensor] = {}
    for module in copy.modules():
        for table in (module._parameters, module._buffers):
            for name, tensor in table.items():
                if tensor is None or type(tensor) not in (Tensor, nn.Parameter) or tensor.dtype not in HALF:
                    continue  # also lazy ones, and those of a subclass, which need not have another type
                if id(tensor) not in wide:
                    made = tensor.detach().float()
                    wide[id(tensor)] = nn.Parameter(made, requires_grad=False) if table is module._parameters else made
                table[name] = wide[id(tensor)]  # type: ignore[assignment]


def _wake(copy: nn.Module) -> None:
    """Set weights by which a fresh network multiplies by zero to one: timm's seresnet starts with U ≡ 0."""
    for module in copy.modules():
        weight = module._parameters.get("weight")
        if weight is None or type(weight) is not nn.Parameter:
            continue  # lazy, or of a subclass, which need not know ``any``
        if weight.ndim == 1 and not bool(weight.any()):
            module._parameters["weight"] = nn.Parameter(torch.ones_like(weight), requires_grad=False)
