"""The frame around every page: the tab's name and icon, where the pages are, and how densely they are set."""

from pathlib import Path

import streamlit as st

from se_viz.ui import inspect

# A file of our own: Streamlit fetches named icons for the tab from another host.
_ICON = str(Path(__file__).with_name("icon.png"))

# The answer belongs on the first screen, so the page starts near the top.
_STYLE = """<style>
.stMainBlockContainer {padding-top: 2.5rem; padding-bottom: 4rem}
[data-testid="stSidebarUserContent"] {padding-top: 0}
[data-testid="stMetricValue"] {font-size: 1.5rem}
</style>"""


def run() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="SE Viz", page_icon=_ICON, layout="wide")
    st.html(_STYLE)
    pages = [st.Page(inspect.page, title="Inspect", icon=":material/search:", url_path="inspect", default=True)]
    st.navigation(pages, position="hidden" if len(pages) == 1 else "top").run()
