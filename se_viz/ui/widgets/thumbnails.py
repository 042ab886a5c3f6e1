"""Small images of the page, and a strip of them."""

from collections.abc import Sequence
from html import escape
from operator import attrgetter

import streamlit as st
from PIL import Image

from se_viz.data import thumbnail as small
from se_viz.data.images import InputImage
from se_viz.figures.row_thumbnails import row_thumbnail

_SIDE = 192  # pixels, twice the size on the page

_STYLE = """<style>
.se-thumbs {display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:0 0 .5rem}
.se-thumb {width:6.5rem;margin:0;font-size:.875rem;line-height:1.2}
.se-thumb img {width:6.5rem;height:6.5rem;object-fit:cover;border-radius:.25rem;display:block}
.se-thumb span {display:block;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
</style>"""


@st.cache_data(max_entries=128, show_spinner=False, scope="session", hash_funcs={InputImage: attrgetter("sha256")})
def thumbnail(image: InputImage) -> str:
    """Return a JPEG of an image as a data URL."""
    return data_url(image.rgb)


@st.cache_data(max_entries=128, show_spinner=False, scope="session", hash_funcs={InputImage: attrgetter("sha256")})
def of_row(image: InputImage) -> str:
    """Return a JPEG of an image for the row of a heatmap, as a data URL."""
    return row_thumbnail(image.rgb)


def data_url(rgb: Image.Image) -> str:
    """Return a small JPEG of pixels as a data URL."""
    return small.data_url(rgb, _SIDE)


def strip(label: str, items: Sequence[tuple[str, str, str]]) -> None:
    """Draw images in a row, which wraps.

    Args:
        label: what they are, for a screen reader.
        items: of each image the data URL, its name, and a second line.
    """
    figures = "".join(
        f'<figure class="se-thumb" role="listitem"><img src="{url}" alt="{escape(name)}">'
        f'<figcaption><span title="{escape(name)}">{escape(name)}</span><span title="{escape(said)}">{escape(said)}'
        "</span></figcaption></figure>"
        for url, name, said in items
    )
    st.html(f'{_STYLE}<div class="se-thumbs" role="list" aria-label="{escape(label)}">{figures}</div>')
