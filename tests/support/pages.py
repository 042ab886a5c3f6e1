"""Pages that stand alone: AppTest cannot follow navigation by callables; Chromium goes through the menu."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from support.checkpoints import SMALL

_APP = str(Path(__file__).parents[2] / "se_viz" / "ui" / "entry" / "page.py")

_DRAW = """
from se_viz.ui.pages import {page}
from se_viz.ui.widgets import page_header as head
{page}.page(head.draw({page}.QUESTION, about_images={about_images}))
"""

# Streamlit reads the metadata of every installed package once for a server, but AppTest for every page: half a second.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


def open_page(page: str, timeout: int = 120, **query: str) -> AppTest:
    """A page as a link opens it, on one sample image unless the link says otherwise; no script may fail."""
    opened = AppTest.from_string(_DRAW.format(page=page, about_images=page != "network"), default_timeout=timeout)
    opened.query_params.update({"samples": "cat"} | query)
    opened.run()
    assert not opened.exception
    return opened


def open_app(**query: str) -> AppTest:
    """The whole app, with its navigation, as a link opens it."""
    opened = AppTest.from_file(_APP, default_timeout=120)
    opened.query_params.update(query)
    opened.run()
    assert not opened.exception
    return opened


def open_tab(page: AppTest, name: str) -> AppTest:
    """The page with another tab than the first, as a changed address opens it."""
    page.query_params["view"] = name
    page.run()
    assert not page.exception
    return page


def specs(page: AppTest) -> list[dict[str, Any]]:
    """The figures of the charts of a page."""
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def drawn(page: AppTest) -> dict[str, list[Any]]:
    """The traces of each chart, by its name."""
    charts = page.get("plotly_chart")
    return {chart.proto.id.rpartition("-chart_")[2]: json.loads(chart.proto.spec)["data"] for chart in charts}


def hand_in(page: AppTest, name: str, content: bytes, classes: bytes | None = None) -> AppTest:
    """The page with a visitor's own weights of the architecture ``SMALL``."""
    page.segmented_control(key="origin").set_value("your weights").run()
    assert any("architecture must be the one" in text.value for text in page.caption)
    page.selectbox(key="own_architecture").set_value(SMALL)
    page.file_uploader(key="own_weights").set_value((name, content, "application/octet-stream"))
    if classes is not None:
        page.file_uploader(key="own_classes").set_value(("newts.txt", classes, "text/plain"))
    page.run()
    assert not page.exception
    return page
