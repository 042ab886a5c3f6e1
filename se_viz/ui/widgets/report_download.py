"""The download of a page's report as one HTML file."""

from collections.abc import Callable

from se_viz.reports.report import Report
from se_viz.ui.widgets.download import download


def show(compose: Callable[[], Report], name: str) -> None:
    """Draw the button.

    Args:
        compose: returns the report, with what it is about; called at the click, as its charts take time.
        name: name of the file without its ending, of the page and what it shows.
    """
    download("Report as HTML", lambda: compose().to_html().encode(), f"{name}.html", f"save_report_{name}")
