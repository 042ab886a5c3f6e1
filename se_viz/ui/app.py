"""The frame around every page: name and icon of the browser tab, the menu of pages, and spacing."""

from pathlib import Path
from types import ModuleType
from typing import Any

import streamlit as st
from streamlit.navigation.page import Page

from se_viz.figures.provenance import Provenance
from se_viz.ui.pages import classes, how, inspect, intervene, network, reduction
from se_viz.ui.state import interrupted_runs
from se_viz.ui.widgets import (
    browser_history,
    chart,
    name_and_pages,
    page_links,
    phone_style,
    presentation_style,
    print_style,
    selection_bar,
    view_link,
)
from se_viz.ui.widgets.page_header import PageHeader, draw
from se_viz.ui.widgets.server_messages import say_refused_upload, wait_for_room

# A file in the package: Streamlit fetches named icons for the tab from another host.
_ICON = str(Path(__file__).with_name("icon.png"))

# The page starts right below the menu, so that the answer is on the first screen.
_STYLE = """<style>
.stMainBlockContainer {padding-top: 4rem; padding-bottom: 4rem}
[data-testid="stSidebarUserContent"] {padding-top: 0}
[data-testid="stMetricValue"] {font-size: 1.5rem}
.st-key-first_run {padding: .4rem .8rem}
[data-testid="stCaptionContainer"] {color: inherit; opacity: 0.82}
/* Streamlit draws them at 60% of the text's colour, below a contrast of 4.5 : 1; texts without a colour are grey. */
[data-testid="stPlotlyChart"] :is([class$="tick"], .cbaxis, .legend, [class$="title"]) text,
[data-testid="stPlotlyChart"] text[style*="rgb(128, 132, 149)"] {fill: currentColor !important}
[data-testid="stCaptionContainer"] code {font-size: .85rem}
/* Streamlit's colours of these have a contrast below 4.5 : 1; CanvasText and Canvas follow the theme. */
[data-testid="stButtonGroup"] [data-selected="true"] p {color: color-mix(in srgb, currentColor 60%, CanvasText)}
[data-testid="stMultiSelect"] span[title] {color: Canvas}
[data-testid="stBaseButton-primary"] :is(p, span) {color: Canvas}
.stCode .token:is(.keyword, .function, .number, .boolean, .class-name, .builtin) {
  color: color-mix(in srgb, #1c83e1 75%, CanvasText)}
.stCode .token.string {color: color-mix(in srgb, #09ab3b 55%, CanvasText)}
.stCode .token:is(.comment, .punctuation) {color: color-mix(in srgb, #808495 55%, CanvasText)}
.stCode .token.operator {color: color-mix(in srgb, #ed6f13 60%, CanvasText)}
.stCode .token.variable {color: color-mix(in srgb, #00a4d4 60%, CanvasText)}
/* A region that scrolls sideways is hard to reach by keyboard. */
.stCode code {white-space: pre-wrap !important; overflow-wrap: anywhere}
</style>"""


def run() -> None:
    """Draw the page that the URL names."""
    st.set_page_config(page_title="SE Viz", page_icon=_ICON, layout="wide")
    interrupted_runs.begin()
    st.html(_STYLE)
    st.html(phone_style.STYLE)
    st.html(print_style.STYLE)
    st.html(selection_bar.STYLE)
    wait_for_room()
    header: PageHeader

    def entry(module: ModuleType, title: str, icon: str, path: str | None = None, **settings: Any) -> Page:  # noqa: ANN401
        return st.Page(lambda: module.page(header), title=title, icon=f":material/{icon}:", url_path=path, **settings)

    # Streamlit gives the default page no path; a link to /inspect must work as well. The menu has the one that is open.
    by_path = (st.context.url or "").rstrip("/").endswith("/inspect")
    shown, hidden = ("hidden", "visible") if by_path else ("visible", "hidden")
    pages = {
        entry(inspect, "Inspect", "search", default=True, visibility=shown): inspect,
        entry(inspect, "Inspect", "search", "inspect", visibility=hidden): inspect,
        entry(how, "How it works", "school", "how-it-works"): how,
        entry(intervene, "Intervene", "tune", "intervene"): intervene,
        entry(classes, "Classes", "category", "classes"): classes,
        entry(reduction, "Reduction", "compress", "reduction"): reduction,
        entry(network, "Network", "account_tree", "network"): network,
    }
    current = st.navigation(list(pages), position="top")
    browser_history.follow(current.url_path)
    page_links.remember(pages)
    name_and_pages.draw()
    say_refused_upload()
    page = next(page for page in pages if page.url_path == current.url_path)
    header = draw(pages[page].QUESTION, about_images=pages[page] is not network)
    presentation_style.show()
    st.set_page_config(page_title=f"{page.title} · {header.model.name} · SE Viz")
    # A page that knows better says so: class profiles are of a dataset, not of the chosen images.
    chart.say_provenance(Provenance(header.model.name))
    current.run()
    view_link.show(header)
    interrupted_runs.end()
