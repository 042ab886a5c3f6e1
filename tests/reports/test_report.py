import io
import re
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pandas as pd
import plotly.graph_objects as go
import pytest

from se_viz.disk.errors import WriteFailed
from se_viz.figures.chart import Chart
from se_viz.reports.report import Later, Report


def chart(name="bars"):
    return Chart(name, go.Figure(go.Bar(x=["a"], y=[1])), "One bar <b>.", "Read & see.")


def report(**parts):
    return Report("Is <it> so?", lambda: ("**Yes**, of <img src=x> it is.", "Twice."), **parts)


def test_charts_are_made_when_they_are_asked_for_and_once():
    made = []

    def make():
        made.append(1)
        return chart()

    charts = Later({"bars": make, "never": lambda: pytest.fail("drawn")})
    assert list(charts) == ["bars", "never"]
    assert "never" in charts
    assert not made
    assert charts["bars"] is charts["bars"]
    assert made == [1]
    with pytest.raises(KeyError):
        _ = charts["none"]


def test_a_folder_gets_every_table_chart_and_file(tmp_path):
    table = pd.DataFrame({"gate": ["SE_2_1"], "s": [0.5]})
    whole = report(
        charts=Later({"bars_1": chart}), tables=Later({"gates": lambda: table}), files=Later({"x.bin": lambda: b"x"})
    )
    whole.write(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"gates.csv", "bars_1.html", "x.bin"}
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO((tmp_path / "out" / "gates.csv").read_bytes())), table)


def test_a_folder_that_cannot_be_made_gets_a_sentence(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WriteFailed, match="file is not a folder"):
        report(charts=Later({"bars": chart})).write(tmp_path / "file" / "out")


def test_sentences_lose_their_marks_in_a_shell():
    assert report().text == ("Yes, of <img src=x> it is.", "Twice.")


def test_the_html_requests_nothing_and_shows_names_as_they_are():
    table = pd.DataFrame({"image": ["<script>alert(1)</script>"] * 60})
    shown = report(charts=Later({"a": chart, "b": chart}), tables=Later({"images": lambda: table}), notes=("A <note>",))
    html = shown._repr_html_()
    assert html.count("plotly.js v") == 1
    assert html.count("Plotly.newPlot(") == 2
    own = re.sub(r"<script[^>]*>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"<script[^>]*\ssrc=|<link|<iframe|@import", html[: html.find("/**")] + own)
    assert not re.search(r"<(?:script|img|link)[^>]*(?:src|href)=[\"']?(?:https?:)?//", html)
    assert "<b>Yes</b>, of &lt;img src=x&gt; it is." in own
    assert "Is &lt;it&gt; so?" in own
    assert "A &lt;note&gt;" in own
    assert "Read &amp; see." in own
    assert "&lt;script&gt;alert(1)" in own
    assert "10 more rows." in own


def test_outside_a_notebook_it_opens_in_the_browser(monkeypatch):
    opened = []
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setattr("webbrowser.open", opened.append)
    report().show()
    (address,) = opened
    assert address.startswith("file://")


def test_in_a_notebook_it_is_shown_below_the_cell(monkeypatch):
    shown = []
    ipython = SimpleNamespace(
        get_ipython=lambda: SimpleNamespace(kernel=object()), display=SimpleNamespace(display=shown.append)
    )
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("a browser"))
    one = report()
    one.show()
    assert shown == [one]


def test_a_report_is_one_file_that_names_its_subject_and_is_the_same_twice(tmp_path):
    table = pd.DataFrame({"image": ["<b>", "c"]})
    shown = report(charts=Later({"a": chart, "b": chart}), tables=Later({"images": lambda: table}))
    shown = shown.described(Model="demo/<r16>", Images="cat, coffee", Weights="")
    shown.write_html(tmp_path / "new" / "report.html")
    html = (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert html.count("plotly.js v") == 1
    assert html.count("Plotly.newPlot(") == 2
    assert "<title>Is &lt;it&gt; so? · demo/&lt;r16&gt; · SE Viz</title>" in html
    assert "<dt>Images</dt><dd>cat, coffee</dd>" in html
    assert "<dt>Weights</dt>" not in html
    assert "default-src 'none'" in html
    assert "with SE Viz" in html
    when = datetime(2026, 11, 26, tzinfo=UTC)
    assert shown.to_html(when) == shown.to_html(when)
    assert "2026-11-26 00:00 UTC" in shown.to_html(when)


def test_a_report_with_some_of_its_charts_draws_only_those():
    charts = Later({"a": chart, "b": lambda: pytest.fail("drawn")})
    assert list(report(charts=charts).with_charts(["a", "no such chart"]).charts) == ["a"]
    assert report(charts=charts).with_charts(["a"]).to_html().count("Plotly.newPlot(") == 1


def test_numbers_of_its_tables_have_five_digits():
    table = pd.DataFrame({"number": [90.700637, 5.23e-82, 3_547_754.0]})
    html = Report("Why?", tuple, tables={"numbers": table}).to_html()
    assert all(f"<td>{text}</td>" in html for text in ("90.701", "5.23e−82", "3,547,754"))


def test_the_html_shows_code_and_names_of_gates_as_the_page_does():
    shown = report(
        tables=Later({"channels_SE_5_2": lambda: pd.DataFrame({"s": [0.5]})}), notes=("Run `se-viz <x>` once.",)
    )._repr_html_()
    assert "<small>Run <code>se-viz &lt;x&gt;</code> once.</small>" in shown
    assert "<h3>channels SE_5_2</h3>" in shown
