"""Numbers with a true minus sign, as people read them; files for machines keep the hyphen."""

from typing import SupportsFloat


def signed(value: SupportsFloat, form: str) -> str:
    """Return a number in a format, with a minus sign (U+2212) where Python writes a hyphen: "−0.3", "2e−05"."""
    return format(value, form).replace("-", "−")
