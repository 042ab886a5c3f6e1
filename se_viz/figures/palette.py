"""Colours, each with one meaning; ``.streamlit/config.toml`` repeats them for the page (a test compares the two)."""

from math import log2

# s, from 0 (suppressed, dark) to 1 (passed, light). Lightness rises evenly, so it is readable without hue.
SEQUENTIAL = (
    "#161a42", "#033163", "#004c7c", "#006a89", "#008688", "#009f81", "#59b27c", "#99c284", "#cad29a", "#f4e5ac",
)  # fmt: skip
# Signed feature maps: negative blue, zero pale, positive brown; colour-blind readers can distinguish these.
DIVERGING = (
    "#0c54a0", "#4073b3", "#6c93c6", "#9ab5d7", "#cdd9e8", "#e6d4ca", "#d2a892", "#bc8160", "#a65b2d", "#8f3500",
)  # fmt: skip

ACCENT = "#007b82"  # the image in focus, and clickable elements
MUTED = "#7e8792"  # the other images, guides and context

# Tiles with text, readable in the light and the dark theme.
TILE, INK = "#5b6673", "#ffffff"

# Lines and points that are compared. On the light and on the dark background each has a contrast of 3 : 1 or more, and
# any two differ for colour-blind readers (tests/figures/test_palette.py computes both); lines differ in dashes too.
CLASSES = (ACCENT, "#cc7a0c", "#7a3cf0", "#7988eb", "#c8264a", "#10a371")  # compared classes, and groups of uploads
NETWORKS = CLASSES[1:]  # networks other than the standard one, which has the accent colour
YOURS = CLASSES[-1]  # the user's networks beside the demo models
DASHES = ("solid", "dash", "dashdot", "longdash", "longdashdot", "4px 2px")  # dots are for means of all

# The reduction ratios 2, 4, 8, 16 and 32: lightness and hue rise with r. They keep the same distances and contrasts.
RATIOS = ("#0f61d4", "#b043b0", "#da398f", "#ed4a58", "#c88104")

# What replaces s of a gate: 1, its mean, s of another image.
EDITS = {"1": NETWORKS[0], "mean": NETWORKS[1], "other image": NETWORKS[2]}

# Signed numbers without a scale: the ends of the diverging colours.
POSITIVE, NEGATIVE = DIVERGING[-2], DIVERGING[1]

Scale = list[tuple[float, str]]


def scale(colours: tuple[str, ...]) -> Scale:
    """Return colours at even steps, in plotly's format."""
    return [(index / (len(colours) - 1), colour) for index, colour in enumerate(colours)]


def ratio_colour(r: float) -> str:
    """Return the colour of a reduction ratio; those between two of ``RATIOS`` lie between their colours, by log₂ r."""
    place = min(max(log2(r) - 1, 0), len(RATIOS) - 1)
    low = min(int(place), len(RATIOS) - 2)
    first, second = (bytes.fromhex(colour[1:]) for colour in RATIOS[low : low + 2])
    mixed = (round(one + (place - low) * (other - one)) for one, other in zip(first, second, strict=True))
    return f"#{bytes(mixed).hex()}"
