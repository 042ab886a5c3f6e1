"""Treatment of NaN and infinity in charts: they are not drawn, and the chart says so."""

from typing import Any

import numpy as np
import numpy.typing as npt

from se_viz.figures.palette import MUTED
from se_viz.types import AnyFloats
from se_viz.wording import signed


def drawable(values: AnyFloats) -> AnyFloats:
    """Return the values with infinity replaced by NaN, which plotly does not draw."""
    return values if np.isfinite(values).all() else np.where(np.isfinite(values), values, np.float32("nan"))


def lost(values: AnyFloats, what: str = "weights") -> str:
    """Return how many values are NaN or infinite, "12 of 768 weights are NaN or infinite", or ""."""
    count = int((~np.isfinite(values)).sum())
    if not count:
        return ""
    return f"{count:,} of {values.size:,} {what} {'is' if count == 1 else 'are'} NaN or infinite"


def say_lost(layout: dict[str, Any], values: AnyFloats, what: str = "weights") -> None:
    """Write into a chart that values are not drawn: across the chart if no value is drawn, otherwise below it."""
    said = lost(values, what)
    if not said:
        return
    if not np.isfinite(values).any():
        place = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
        layout["annotations"] = [{"text": f"{said}:<br>nothing to draw", "font": {"color": MUTED, "size": 14}, **place}]
        # The grid of an axis without numbers would be meaningless.
        for axis in ("xaxis", "yaxis"):
            layout[axis] |= {"showgrid": False}
        return
    title = layout["xaxis"]["title"]
    # Short, because long axis titles are cut off.
    title["text"] = f"{title['text']}; not drawn: NaN, infinite" if title["text"] else f"{said}: not drawn"


def number(value: float, form: str = ".2f") -> str:
    """Return a number in a format, or "NaN" or "infinite"."""
    return signed(value, form) if np.isfinite(value) else "NaN" if np.isnan(value) else "infinite"


def ends(values: AnyFloats) -> str:
    """Return the range of the finite values, "from 0.10 to 0.93"."""
    finite = values[np.isfinite(values)]
    return f"from {signed(finite.min(), '.2f')} to {signed(finite.max(), '.2f')}" if finite.size else "nowhere finite"


def texts(values: AnyFloats, digits: int = 3) -> npt.NDArray[np.str_]:
    """Return numbers as texts, in an array of the same shape: Plotly would check each text of a list.

    The pointer's numbers with a format have a hyphen instead of the minus sign, unless they are those of an axis.
    """
    written = np.char.mod(f"%.{digits}f", values)
    for machine, people in (("-", "−"), ("nan", "NaN"), ("inf", "∞")):
        written = np.char.replace(written, machine, people)
    return written
