"""Colours, each with one meaning; ``.streamlit/config.toml`` repeats them for the page (a test compares the two)."""

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

# Networks other than the standard one, which has the accent colour: safe for colour-blind readers (Okabe & Ito), and
# drawn with different symbols.
NETWORKS = ("#d55e00", "#0072b2", "#cc79a7", "#b58900", "#6a51a3")

# Compared classes in the order of choice, and groups of uploads.
CLASSES = ("#007b82", "#d55e00", "#6a51a3", "#b58900", "#cc79a7", "#0072b2")

Scale = list[tuple[float, str]]


def scale(colours: tuple[str, ...]) -> Scale:
    """Return colours at even steps, in plotly's format."""
    return [(index / (len(colours) - 1), colour) for index, colour in enumerate(colours)]
