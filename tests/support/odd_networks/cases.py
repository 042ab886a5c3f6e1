"""All networks of this package that have gates, by a title."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from se_viz.gates.errors import InstrumentError
from se_viz.gates.find import find_gates
from se_viz.gates.gate import Gate
from support.networks import noise
from support.odd_networks import calls as odd_calls
from support.odd_networks import inline as odd_inline
from support.odd_networks import origins as odd_origins
from support.odd_networks import shared as odd_shared
from support.odd_networks import squeezes as odd_squeezes
from support.odd_networks import states as odd_states
from support.odd_networks import ways as odd_ways
from support.odd_networks.gates import SIDE, Case

CASES: dict[str, Case] = {
    f"{title}: {name}": case
    for title, module in (
        ("inline", odd_inline),
        ("shared", odd_shared),
        ("squeeze", odd_squeezes),
        ("state", odd_states),
        ("way", odd_ways),
        ("call", odd_calls),
        ("s", odd_origins),
    )
    for name, case in module.CASES.items()
}


@contextmanager
def odd_network(name: str, count: int) -> Iterator[tuple[nn.Module, Tensor, Sequence[Gate]]]:
    """Give a network, images of noise, and its gates, or none where a sentence may take their place; no warnings."""
    torch.manual_seed(0)
    network = CASES[name].make().eval()
    images = noise(count, SIDE, next(network.parameters()).dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            gates = find_gates(network)
        except InstrumentError:
            assert CASES[name].or_told
            gates = ()
        yield network, images, gates
