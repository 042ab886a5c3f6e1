"""Shares in words, and the axis that they need."""

from collections.abc import Iterable
from math import isfinite


def percent(share: float) -> str:
    """Return a share 0–1 as whole per cent, and one below 1% with the digit that tells it from 0: "55%", "0.2%"."""
    if 0 < share < 0.0005:
        return "< 0.1%"
    return f"{share:.1%}" if 0 < share < 0.0095 else f"{share:.0%}"


def reach(shares: Iterable[float]) -> float:
    """Return where an axis of shares 0–1 ends, in per cent: 100, or less where all of them are small."""
    largest = 100 * max((share for share in shares if isfinite(share)), default=1.0)
    return 100.0 if largest > 20 else max(1.0, 1.25 * largest)
