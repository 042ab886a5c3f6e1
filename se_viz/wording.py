"""Numbers with their nouns, signed numbers and lists, as sentences of every room have them."""

from collections.abc import Sequence
from typing import SupportsFloat


def counted(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun: "1 image", "2,000 images", "3 classes" for ``plural`` = "classes"."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence: "a", "a and b", "a, b and c"; "" without names."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def signed(value: SupportsFloat, form: str) -> str:
    """Return a number in a format, with a minus sign (U+2212) where Python writes a hyphen: "−0.3", "2e−05"."""
    return format(value, form).replace("-", "−")
