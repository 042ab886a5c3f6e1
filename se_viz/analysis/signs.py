"""Numbers with a true minus sign, as people read them; files for machines keep the hyphen."""

import numpy as np

from se_viz.types import AnyFloats


def signed(value: float, form: str) -> str:
    """Return a number in a format, with a minus sign (U+2212) where Python writes a hyphen: "−0.3", "2e−05"."""
    return format(value, form).replace("-", "−")


def signed_texts(values: AnyFloats, digits: int = 3) -> list[object]:
    """Return numbers as texts with a minus sign, nested as the array is."""
    texts = np.char.replace(np.char.mod(f"%.{digits}f", values), "-", "−")
    texts = np.char.replace(texts, "nan", "NaN")
    nested: list[object] = texts.tolist()
    return nested
