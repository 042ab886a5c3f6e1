"""Colours, each with one meaning everywhere; ``.streamlit/config.toml`` repeats them for the page (a test compares)."""

# s, from 0 (suppressed, dark) to 1 (passed, light): lightness rises evenly, so it reads without seeing hue.
SEQUENTIAL = (
    "#161a42", "#033163", "#004c7c", "#006a89", "#008688", "#009f81", "#59b27c", "#99c284", "#cad29a", "#f4e5ac",
)  # fmt: skip
# Signed feature maps: negative blue, zero pale, positive brown; blue and brown stay apart for all eyes.
DIVERGING = (
    "#0c54a0", "#4073b3", "#6c93c6", "#9ab5d7", "#cdd9e8", "#e6d4ca", "#d2a892", "#bc8160", "#a65b2d", "#8f3500",
)  # fmt: skip

ACCENT = "#007b82"  # the image in focus, and what can be clicked
MUTED = "#7e8792"  # the other images, guides, what is merely context

# Tiles with words on them, which read by day and by night.
TILE, INK = "#5b6673", "#ffffff"

# Networks beside the standard one, which has the accent; told apart by all eyes, and by their symbols (Okabe & Ito).
NETWORKS = ("#d55e00", "#0072b2", "#cc79a7", "#b58900", "#6a51a3")

# Classes under comparison, in the order in which they were chosen, and groups of uploads likewise.
CLASSES = ("#007b82", "#d55e00", "#6a51a3", "#b58900", "#cc79a7", "#0072b2")

Scale = list[tuple[float, str]]


def scale(colours: tuple[str, ...]) -> Scale:
    """Colours at even steps, as plotly wants them."""
    return [(index / (len(colours) - 1), colour) for index, colour in enumerate(colours)]
