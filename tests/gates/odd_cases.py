"""All networks of ``odd_*.py`` that have gates, by a title."""

import odd_inline
import odd_shared
import odd_squeezes
import odd_states
import odd_ways
from odd_gates import Case

CASES: dict[str, Case] = {
    f"{title}: {name}": case
    for title, module in (
        ("inline", odd_inline),
        ("shared", odd_shared),
        ("squeeze", odd_squeezes),
        ("state", odd_states),
        ("way", odd_ways),
    )
    for name, case in module.CASES.items()
}
