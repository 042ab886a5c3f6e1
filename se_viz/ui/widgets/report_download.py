"""The download of a page's report as one HTML file."""

from collections.abc import Callable, Sequence

from se_viz.model.model import Model
from se_viz.reports.about import about_model
from se_viz.reports.report import Report
from se_viz.ui.widgets.download import download


def show(compose: Callable[[], Report], name: str, model: Model | None = None, images: Sequence[str] = ()) -> None:
    """Draw the button.

    Args:
        compose: returns the report; called at the click, as its charts take time.
        name: name of the file without its ending, of the page and what it shows.
        model: the model of the page, for the head of the file; None if the report says what it is about.
        images: names of the images.
    """

    def content() -> bytes:
        report = compose()
        return (report if model is None else about_model(report, model, images)).to_html().encode()

    download("Report as HTML", content, f"{name}.html", f"save_report_{name}")
