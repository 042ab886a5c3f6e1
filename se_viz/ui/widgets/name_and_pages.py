"""The name of the product, what it is for and the paper on every page, and on a phone links to the pages.

Streamlit's own menu of pages is in the sidebar there, which is closed.
"""

import streamlit as st

from se_viz.ui.widgets import page_links

_PAGES = "phone_pages"
_PAPER, _SHADE = "light-dark(#fdfcf9, #12151c)", "light-dark(rgba(26,34,48,.35), rgba(255,255,255,.35))"

STYLE = f"""<style>
.se-product {{font-size: .875rem; line-height: 1.3; margin: 0 0 -1rem}}
.se-product a {{color: inherit}}
[data-testid="stElementContainer"]:has(> .stHtml > .se-product) {{margin-bottom: -.6rem}}
[data-testid="stLayoutWrapper"]:has(> .st-key-{_PAGES}) {{display: none}}
@media (max-width: 640px) {{
  .se-product {{position: fixed; top: 0; left: 3.5rem; right: .5rem; height: 3.75rem; margin: 0; z-index: 1000000;
    display: flex; flex-direction: column; justify-content: center; font-size: .75rem; pointer-events: none}}
  .se-product a {{pointer-events: auto}}
  .se-product .dot {{display: none}}
  [data-testid="stLayoutWrapper"]:has(> .st-key-{_PAGES}) {{display: flex}}
  /* A shade at each side with more pages: what is laid over it scrolls with them, and covers it at their ends. */
  .st-key-{_PAGES} {{flex-wrap: nowrap; overflow-x: auto; gap: 0; justify-content: space-between; scrollbar-width: none;
    background:
      linear-gradient(to right, {_PAPER} 60%, transparent) 0 0 / 1.75rem 100% local,
      linear-gradient(to left, {_PAPER} 60%, transparent) 100% 0 / 1.75rem 100% local,
      linear-gradient(to right, {_SHADE}, transparent) 0 0 / 1.5rem 100% scroll,
      linear-gradient(to left, {_SHADE}, transparent) 100% 0 / 1.5rem 100% scroll;
    background-repeat: no-repeat}}
  .st-key-{_PAGES} > div {{flex: none; width: auto}}
  .st-key-{_PAGES} p {{white-space: nowrap !important}}
  /* So that all names fit into 375 pixels. */
  .st-key-{_PAGES} a {{padding: 0 .25rem; justify-content: center}}
  .st-key-{_PAGES} p {{font-size: .8rem}}
  .st-key-{_PAGES} a > :has([data-testid="stIconMaterial"]) {{display: none}}
}}
</style>"""

_NAME = """<div class="se-product"><span><b>SE Viz</b> <span class="dot">·</span> look inside Squeeze-and-Excitation
networks</span> <span class="dot">·</span> <a href="https://arxiv.org/abs/1709.01507" target="_blank" rel="noopener">the
paper: Hu et al., 2018</a></div>"""


def draw() -> None:
    """Draw both, at the top of the page."""
    st.html(STYLE)
    st.html(_NAME)
    with st.container(key=_PAGES, horizontal=True):
        page_links.menu()
