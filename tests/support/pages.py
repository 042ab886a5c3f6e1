"""Pages that stand alone: AppTest cannot follow navigation by callables; Chromium goes through the menu."""

from streamlit.testing.v1 import AppTest

_DRAW = """
from se_viz.ui.pages import {page}
from se_viz.ui.widgets import page_header as head
{page}.page(head.draw({page}.QUESTION, about_images={about_images}))
"""


def open_page(page: str, timeout: int = 120, **query: str) -> AppTest:
    """A page as a link opens it, on one sample photograph unless the link says otherwise; no script may fail."""
    opened = AppTest.from_string(_DRAW.format(page=page, about_images=page != "network"), default_timeout=timeout)
    opened.query_params.update({"samples": "cat"} | query)
    opened.run()
    assert not opened.exception
    return opened
