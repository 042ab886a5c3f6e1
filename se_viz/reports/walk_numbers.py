"""Numbers and sums as the walk-through prints them: three digits, and the largest products of a sum."""

import math
from collections.abc import Iterable, Sequence

from se_viz.analysis.walk import Term
from se_viz.wording import counted

_MINUS = "−"
_POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SHOWN = 3
"""Products of a sum that a line prints."""


def number(value: float) -> str:
    """Return a number with three digits, for instance 0.118, −12.3, 1,024 and 2.1·10⁻⁵."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{_MINUS if value < 0 else ''}∞"
    size = abs(value)
    if size == 0:
        return "0"
    if size < 1e-3:
        digits, _, power = f"{size:.1e}".partition("e")
        text = f"{digits}·10{str(int(power)).translate(_POWERS)}"
    elif size < 0.1:
        text = f"{size:.3f}" if size >= 0.01 else f"{size:.4f}"
    elif size < 999.5:
        text = f"{size:.{max(0, 2 - math.floor(math.log10(float(f'{size:.2e}'))))}f}"
    else:
        text = f"{size:,.0f}"
    return f"{_MINUS if value < 0 else ''}{text}"


def as_summand(value: float) -> str:
    """Return a number as it follows in a sum: "+ 0.12" or "− 0.12"."""
    return f"{_MINUS if value < 0 else '+'} {number(abs(value))}"


def product(term: Term) -> str:
    """Return the two factors of a product, the weight first."""
    value = number(term.value)
    return f"{number(term.weight)} · {f'({value})' if value.startswith(_MINUS) else value}"


def added(terms: Sequence[Term], bias: float, total: float, *, shown: int = SHOWN) -> str:
    """Return a sum of products: the largest ones, the rest as one number, the bias, and the total."""
    ordered = sorted(terms, key=lambda term: -abs(term.product))
    largest = [term for term in ordered[:shown] if term.product]
    line = product(largest[0]) if largest else "0"
    for term in largest[1:]:
        text = product(term)
        line += f" {_MINUS} {text[1:]}" if text.startswith(_MINUS) else f" + {text}"
    rest = ordered[len(largest) :]
    if rest:
        value = sum(term.product for term in rest)
        line += f" {as_summand(value)} ({counted(len(rest), 'more product')})"
    if bias:
        line += f" {as_summand(bias)} (bias)"
    return f"{line} = {number(total)}"


def vector(values: Iterable[float], *, shown: int = 8) -> str:
    """Return the first numbers of a vector in brackets."""
    listed = [number(float(value)) for value in values]
    return f"({', '.join(listed[:shown])}{', …' if len(listed) > shown else ''})"


def times(shape: Iterable[int]) -> str:
    """Return a shape, for instance "96 × 32 × 32"."""
    return " × ".join(f"{size:,}" for size in shape)
