import asyncio
from concurrent.futures import ThreadPoolExecutor

import kaleido
import plotly.graph_objects as go
import pytest

from se_viz.figures import drawing
from se_viz.figures.chart import Chart
from se_viz.figures.drawing import one_browser
from se_viz.reports.report import Report


class Recorder:
    """Kaleido without a browser, which records what is asked of it."""

    events = ()

    def __init__(self, **_):
        pass

    async def __aenter__(self):
        Recorder.events += ("open",)
        return self

    async def __aexit__(self, *_):
        Recorder.events += ("close",)

    async def calc_fig(self, figure, opts):
        if figure.get("fails"):
            raise RuntimeError("the tab is gone")
        Recorder.events += (opts["format"],)
        return b"%PDF"


@pytest.fixture
def events(monkeypatch):
    monkeypatch.setattr(kaleido, "Kaleido", Recorder)
    monkeypatch.setattr(Recorder, "events", ())
    monkeypatch.setattr("se_viz.reports.report.figure_bytes", drawn)
    return lambda: Recorder.events


def drawn(figure, kind, preset, *, name, provenance, browser):
    return browser.draw(figure.to_dict(), {"format": kind}) if browser else b"<html>"


def report():
    charts = {f"chart{n}": Chart(f"chart{n}", go.Figure(), "A figure.", "Look.") for n in range(3)}
    return Report("What?", lambda: ("One.",), charts)


def test_the_figures_of_a_report_are_drawn_by_one_browser(events, tmp_path):
    report().write(tmp_path, "pdf")
    assert events() == ("open", "pdf", "pdf", "pdf", "close")
    assert len(list(tmp_path.glob("*.pdf"))) == 3


def test_html_starts_no_browser(events, tmp_path):
    report().write(tmp_path, "html")
    assert events() == ()


def test_a_browser_ends_after_a_failure_and_the_next_one_starts(events):
    for _ in range(2):
        with one_browser() as browser:
            browser.draw({}, {"format": "png"})
            with pytest.raises(RuntimeError, match="the tab is gone"):
                browser.draw({"fails": True}, {"format": "png"})
    assert events() == ("open", "png", "close") * 2


def test_figures_are_drawn_where_an_event_loop_runs_as_in_a_notebook(events):
    async def cell():
        with one_browser() as browser:
            return browser.draw({}, {"format": "svg"})

    with ThreadPoolExecutor(1) as thread:  # as Playwright's loop may run in the thread of the tests
        assert thread.submit(asyncio.run, cell()).result() == b"%PDF"


def test_a_browser_that_never_answers_its_end_is_not_waited_for(events, monkeypatch):
    async def never(self, *_):
        await asyncio.Event().wait()

    monkeypatch.setattr(Recorder, "__aexit__", never)
    monkeypatch.setattr(drawing, "SECONDS_TO_END", 0.01)
    for _ in range(2):
        with one_browser() as browser:
            assert browser.draw({}, {"format": "png"}) == b"%PDF"
    assert events() == ("open", "png") * 2
