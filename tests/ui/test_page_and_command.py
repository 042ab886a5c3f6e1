"""The page, the command and Python give one report: the same sentences, the same numbers in each chart and table."""

import json
from functools import partial
from pathlib import Path

import pandas as pd
import ui_support
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from se_viz.cli.app import app
from se_viz.profiles.bundled import shipped
from se_viz.reports.class_pair import channel_labels
from se_viz.reports.class_profiles import class_report
from se_viz.reports.report import Report
from se_viz.ui.markdown import emphasised

RUN = CliRunner()


def run(*arguments: object) -> str:
    result = RUN.invoke(app, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def drawn_on(page: AppTest) -> dict[str, list]:
    """The data of each chart of a page, by its name."""
    return {
        chart.proto.id.rpartition("-chart_")[2]: json.loads(chart.proto.spec)["data"]
        for chart in page.get("plotly_chart")
    }


def drawn_in(file: Path) -> list:
    """The data of the chart of an HTML file."""
    text = file.read_text(encoding="utf-8")
    start = text.index("[", text.index("Plotly.newPlot("))
    return json.JSONDecoder().raw_decode(text, start)[0]


def of(report: Report, name: str) -> list:
    return json.loads(report.charts[name].figure.to_json())["data"]


def same_sentences(report: Report, page: AppTest, output: str) -> None:
    shown = "\n".join(text.value for text in page.markdown)
    lines = output.splitlines()
    assert report.sentences
    for sentence, text in zip(report.sentences, report.text, strict=True):
        assert emphasised(sentence) in shown
        assert text in lines


def same_charts(report: Report, page: dict[str, list], folder: Path, names: set[str]) -> None:
    """Each of the named charts of the page is the report's, and in the folder of the command."""
    assert names
    for name in names:
        assert page[name] == of(report, name) == drawn_in(folder / f"{name}.html"), name


def same_table(report: Report, name: str, folder: Path) -> None:
    written, own = pd.read_csv(folder / f"{name}.csv"), report.tables[name]
    pd.testing.assert_frame_equal(written, own.reset_index(drop=True), check_dtype=False, rtol=1e-6)


def test_classes(tmp_path):
    report = class_report(shipped("demo/r16"))
    page = ui_support.open_page("classes")
    same_sentences(report, page, run("classes", "--out", tmp_path))
    shown = drawn_on(page)
    of_images = {name for name in shown if name.startswith(("groups_", "maps_"))}
    same_charts(report, shown, tmp_path, shown.keys() - of_images)
    assert len(shown.keys() - of_images) == 4 + 4 + 3 + 2 + 2  # stages, classes, gates, likeness, the pair
    for table in ("eta2", "separation_SE_5_2"):
        same_table(report, table, tmp_path)
    pair = "_".join(page.selectbox(key=key).value for key in ("one", "other"))
    labels = channel_labels(report.tables["separation_SE_5_2"])
    assert page.selectbox(key=f"faceoff_channel_SE_5_2_{pair}").options == list(labels.values())
