"""The style of presentation mode: text of 20 px and more, on a screen of 1920 × 1080."""

import streamlit as st

from se_viz.ui.state import presentation

# Sizes of text are relative to that of the root, the smallest 0.875 of it; those that are smaller are listed.
_STYLE = """<style>
html {font-size: 24px !important}
[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"], [data-testid="stColumn"]:has(> div > .st-key-upload),
[data-testid="stDownloadButton"] {display: none !important}
.stMainBlockContainer {padding-left: 2rem; padding-right: 2rem}
.se-card {flex-basis: 19rem}
.se-card figcaption {font-size: .85rem}
</style>"""


def show() -> None:
    """Write the style into the page, if it is presented."""
    if presentation.is_on():
        st.html(_STYLE)
