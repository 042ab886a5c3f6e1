"""All networks of this package that have gates, by a title."""

from support.odd_networks import calls as odd_calls
from support.odd_networks import inline as odd_inline
from support.odd_networks import origins as odd_origins
from support.odd_networks import shared as odd_shared
from support.odd_networks import squeezes as odd_squeezes
from support.odd_networks import states as odd_states
from support.odd_networks import ways as odd_ways
from support.odd_networks.gates import Case

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
