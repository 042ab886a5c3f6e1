"""The page, the command and Python give one report: the same sentences, the same numbers in each chart and table."""

import base64
import io
import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.torch import save
from streamlit.testing.v1 import AppTest
from support import pages
from support.checkpoints import small_weights
from support.pages import drawn
from support.profiling import make_images
from support.quick import exhaustive
from typer.testing import CliRunner

from se_viz import attribute, capture, freeze, load, predict, sample, walk
from se_viz.cli.app import app
from se_viz.demo.design_choices import DESIGN_CHOICES, RATIO
from se_viz.interventions.baseline import mean_weights
from se_viz.interventions.bundled_ablations import bundled_ablation
from se_viz.interventions.gate_effects import gate_effects, gate_means, outputs_of
from se_viz.profiles.bundled import bundled_profiles
from se_viz.reports.ablation import ablation_report
from se_viz.reports.class_pair import channel_labels
from se_viz.reports.class_profiles import class_report
from se_viz.reports.design_choices import design_report
from se_viz.reports.frozen_report import frozen_report, known_cost
from se_viz.reports.inspection import inspection_report
from se_viz.reports.intervention import Channels, Edited, intervention_report
from se_viz.reports.network import network_report
from se_viz.reports.report import Report
from se_viz.reports.subject_facts import about_ablation
from se_viz.reports.target_output import outcome_of
from se_viz.reports.walk import walk_report
from se_viz.ui.markdown import emphasised

RUN = CliRunner()


def run(*arguments: object) -> str:
    result = RUN.invoke(app, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def drawn_in(file: Path) -> list:
    """The data of the chart of an HTML file."""
    text = file.read_text(encoding="utf-8")
    start = text.index("[", text.index("Plotly.newPlot("))
    return json.JSONDecoder().raw_decode(text, start)[0]


def of(report: Report, name: str) -> list:
    return json.loads(report.charts[name].figure.to_json())["data"]


def alike(one: object, other: object) -> bool:
    """Whether two charts have the same data, but for rounding: the page reads images one at a time."""
    if isinstance(one, dict) and isinstance(other, dict):
        if "bdata" in one and one["dtype"][0] == "f":
            numbers = (np.frombuffer(base64.b64decode(each["bdata"]), each["dtype"]) for each in (one, other))
            return np.allclose(*numbers, atol=1e-5, rtol=1e-4, equal_nan=True)
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, abs=1e-5, rel=1e-4)
    if isinstance(one, str) and isinstance(other, str) and one.startswith("data:image/"):
        pixels = (np.asarray(Image.open(io.BytesIO(base64.b64decode(each.partition(",")[2])))) for each in (one, other))
        return np.abs(np.subtract(*(each.astype(float) for each in pixels))).mean() < 0.1  # a lossy format
    return one == other


def same_sentences(report: Report, page: AppTest | set[str], output: str) -> None:
    texts = page if isinstance(page, set) else {text.value for text in (*page.markdown, *page.caption)}
    shown = "\n".join(texts)
    lines = output.splitlines()
    assert report.sentences
    for sentence, text in zip(report.sentences, report.text, strict=True):
        assert emphasised(sentence) in shown
        assert text in lines


def same_charts(report: Report, page: dict[str, list], folder: Path, names: set[str]) -> None:
    """Each of the named charts of the page is the report's, and in the folder of the command."""
    assert names
    for name in names:
        key = name if name in report.charts else f"{name}_1"  # of the image in focus
        assert of(report, key) == drawn_in(folder / f"{key}.html"), name
        assert alike(page[name], of(report, key)), name


def same_table(report: Report, name: str, folder: Path) -> None:
    written, own = pd.read_csv(folder / f"{name}.csv"), report.tables[name]
    source = [column for column in ("model", "data") if column in written and column not in own]
    assert source != ["model", "data"] or written["model"].isin(["demo/r16", report.source.model]).all()
    written = written.drop(columns=source)
    pd.testing.assert_frame_equal(written, own.reset_index(drop=True), check_dtype=False, rtol=1e-6)


@pytest.mark.slow
def test_inspection(tmp_path):
    model, images = load("demo/r16", "cpu"), [sample("cat"), sample("coffee")]
    captured, names = capture(model, images, maps=["SE_5_2"]), [image.name for image in images]
    cut = [model.preprocess.center_crop(image.rgb) for image in images]
    report = inspection_report(
        captured,
        predict(model, captured, images=images),
        names,
        gates=["SE_5_2"],
        cut=cut.__getitem__,
        means=gate_means(model),
    )
    page = pages.open_page("inspect", samples="cat,coffee", gate="SE_5_2", device="cpu")
    output = run(
        "inspect", "--sample", "cat", "--sample", "coffee", "--maps", "SE_5_2", "--device", "cpu", "--out", tmp_path
    )
    same_sentences(report, page, output)
    shown = drawn(page)
    same_charts(report, shown, tmp_path, set(shown))
    assert len(shown) == 4 + 2  # stages, the gate
    page.toggle(key="raw").set_value(True).run()
    raw = drawn(page)
    same_charts(report, raw, tmp_path, raw.keys() - shown.keys())
    assert len(raw.keys() - shown.keys()) == 4
    page.toggle(key="raw").set_value(False).run()
    pages.open_tab(page, "Maps")
    maps = drawn(page)
    same_charts(report, maps, tmp_path, maps.keys() - shown.keys())
    page.segmented_control(key="shown").set_value("over the image").run()
    over = drawn(page)
    same_charts(report, over, tmp_path, over.keys() - maps.keys())
    for table in report.tables:
        same_table(report, table, tmp_path)
    assert report.files["health.json"] == (tmp_path / "health.json").read_bytes()


@pytest.mark.slow
def test_intervention(tmp_path):
    model, image, other = load("demo/r16", "cpu"), sample("cat"), sample("temple")
    captured = capture(model, [image])
    effects = gate_effects(model, [image], [other])
    outcome = outcome_of(predict(model, captured).fitted, effects.before)
    after = outputs_of(capture(model, [image, other], edits={"SE_2_2": 1.0}))[0]
    edited = Edited("s := 1 in all channels of SE_2_2", after)
    report = intervention_report(outcome, effects, image.name, other_name=other.name, gate="SE_2_2", edited=edited)
    asked = {"samples": "cat,temple", "gate": "SE_2_2", "edit": "all", "set": "1", "baseline": "0", "device": "cpu"}
    page = pages.open_page("intervene", view="Gates", **asked)
    sentences, charts = set(), {}
    for tab in ("Gates", "Channels", "Edit channels", "Faithfulness"):
        if tab != "Gates":
            pages.open_tab(page, tab)
        sentences |= {text.value for text in (*page.markdown, *page.caption)}
        charts |= drawn(page)
    options = ["--sample", "cat", "--sample", "temple", "--device", "cpu"]
    same_sentences(report, sentences, run("intervene", *options, "--gate", "SE_2_2", "--set", "1", "--out", tmp_path))
    # A chart that takes clicks has the chosen gate in its key.
    shown = {name.removesuffix("_SE_2_2") if name.startswith("gate_") else name: one for name, one in charts.items()}
    same_charts(report, shown, tmp_path, set(report.charts))
    for table in report.tables:
        same_table(report, table, tmp_path)

    found = attribute(model, [image, other], "SE_2_2", baseline=0.0)
    gate_capture = capture(model, [image], maps=["SE_2_2"])["SE_2_2"]
    channels = Channels(found, (image.name, other.name), 0, gate_capture, mean_weights(model, "SE_2_2"), "0")
    report = intervention_report(outcome, gate_effects(model, [image]), image.name, gate="SE_2_2", channels=channels)
    output = run("attribute", *options, "--gate", "SE_2_2", "--baseline", "0", "--out", tmp_path / "channels")
    assert report.text[-1] in output.splitlines()
    before_error, _, after_error = emphasised(report.sentences[-1]).partition(r"\(completeness error")
    said = next(text for text in sentences if text.startswith(before_error))
    assert said.endswith(after_error.partition(r"\)")[2])
    same_charts(report, shown, tmp_path / "channels", {"attribution_SE_2_2"})
    same_table(report, "channels_SE_2_2", tmp_path / "channels")


@pytest.mark.slow
def test_freeze(tmp_path):
    frozen = freeze(load("demo/r16", "cpu"), {"SE_5_2": "mean"})
    report = frozen_report(frozen, known=known_cost(frozen, bundled_ablation("demo/r16"), ""))
    page = pages.open_page("intervene", view="Over a dataset", frozen="SE_5_2", device="cpu")
    output = run(
        *("freeze", "demo/r16", "--set", "SE_5_2=mean", "--device", "cpu", "--out", tmp_path / "frozen.safetensors"),
        *("--table", tmp_path / "before_and_after.csv"),
    )
    same_sentences(report, page, output)
    same_table(report, "before_and_after", tmp_path)
    for name, shown in zip(report.tables, page.dataframe, strict=True):
        pd.testing.assert_frame_equal(shown.value, report.tables[name])
    (gate,) = frozen.gates
    assert [gate.name, f"{gate.s.mean():.4g}", *gate.how.split()] in [line.split() for line in output.splitlines()]


@pytest.mark.slow
def test_ablation(tmp_path, monkeypatch):
    ablation = bundled_ablation("demo/r16")
    monkeypatch.setattr("se_viz.interventions.ablate.ablate", lambda *_args, **_settings: ablation)
    report = about_ablation(ablation_report(ablation), ablation)
    page = pages.open_page("intervene", view="Over a dataset", device="cpu")
    photos = make_images(tmp_path / "photos", count=1)
    output = run("ablate", "--data", photos, "--device", "cpu", "--out", tmp_path / "out")
    texts = {text.value for text in (*page.markdown, *page.caption)}
    assert {emphasised(sentence) for sentence in (*report.parts["effects"], report.how_measured)} <= texts
    (shown,) = (text for text in texts if text.startswith("Each of these gates"))
    start, *listed = shown.split("\n- ")
    assert (f"{start.strip()} {'; '.join(listed)}.".replace("\\", ""),) == report.parts["may go"]
    assert {*report.text, report.how_measured} <= set(output.splitlines())
    same_charts(report, drawn(page), tmp_path / "out", set(report.charts))
    same_table(report, "ablation", tmp_path / "out")


@pytest.mark.slow
def test_walk(tmp_path, monkeypatch):
    handed = []
    monkeypatch.setattr("se_viz.ui.widgets.report_download.show", lambda compose, _name: handed.append(compose()))
    image = sample("cat")
    report = walk_report(walk(load("demo/r16", "cpu"), image, "SE_3_1", 5), image.name)
    page = pages.open_page("how", gate="SE_3_1", channel="5", device="cpu")
    options = ("--gate", "SE_3_1", "--channel", "5", "--device", "cpu", "--out", tmp_path)
    lines = run("walk", "--sample", "cat", *options).splitlines()
    assert emphasised(report.sentences[0]) in {text.value for text in page.markdown}
    (on_page,) = handed
    assert report.sentences == on_page.sentences
    assert set(report.text) <= set(lines)
    for name in report.charts:
        assert alike(of(on_page, name), of(report, name)), name
        assert of(report, name) == drawn_in(tmp_path / f"{name}.html"), name
    for name in report.tables:
        pd.testing.assert_frame_equal(on_page.tables[name], report.tables[name])
        same_table(report, name, tmp_path)


@pytest.mark.slow
def test_classes(tmp_path):
    report = class_report(bundled_profiles("demo/r16"))
    page = pages.open_page("classes")
    same_sentences(report, page, run("classes", "--out", tmp_path))
    shown = drawn(page)
    for tab in ("Figure 6", "Figure 7", "A against B"):
        shown |= drawn(pages.open_tab(page, tab))
    of_images = {name for name in shown if name.startswith("maps_")}
    same_charts(report, shown, tmp_path, shown.keys() - of_images)
    assert len(shown.keys() - of_images) == 4 + 4 + 3 + 2 + 2  # stages, classes, gates, likeness, the pair
    for table in ("by_depth", "eta2", "separation_SE_5_2"):
        same_table(report, table, tmp_path)
    labels = channel_labels(report.tables["separation_SE_5_2"])
    channel, label = next(iter(labels.items()))
    assert page.number_input(key="channel").value == channel
    assert label.replace("channel", "Channel", 1) in [caption.value.replace("\\", "") for caption in page.caption]


@pytest.mark.slow
def test_network(tmp_path):
    report = network_report(load("demo/r16", "cpu"), ["SE_4_2"])
    page = pages.open_page("network", gate="SE_4_2")
    same_sentences(report, page, run("gates", "demo/r16", "--gate", "SE_4_2", "--out", tmp_path))
    titles = [json.loads(one.proto.spec)["layout"]["title"]["text"] for one in page.get("plotly_chart")]
    assert titles == [one.figure.layout.title.text for one in report.charts.values()]
    assert drawn(page)["gates"] == of(report, "gates") == drawn_in(tmp_path / "gates.html")
    same_table(report, "gates", tmp_path)
    pd.testing.assert_frame_equal(page.dataframe[0].value, report.tables["gates"])


@pytest.mark.slow
@pytest.mark.parametrize("network", ["demo/r16", *exhaustive("resnet18")])
def test_cost(network, tmp_path):
    page = pages.open_page("reduction", view="Cost", network=network)
    table = next(one.value for one in page.dataframe if "MACs" in one.value)
    side = "128" if network == "demo/r16" else "224"
    output = run("cost", network, "--size", side, "--table", tmp_path / "cost.csv")
    shown = [text.value.replace("**", "").replace("\\", "") for text in page.markdown]
    sentences = [line for line in output.splitlines() if line.startswith(("SE adds", "Squeeze and scale add"))]
    assert len(sentences) == 2
    assert set(sentences) <= set(shown)
    written = pd.read_csv(tmp_path / "cost.csv", keep_default_na=False).drop(columns=["model", "data"])
    pd.testing.assert_frame_equal(written, table, check_dtype=False)


@pytest.mark.slow
@pytest.mark.parametrize("choice", [RATIO, DESIGN_CHOICES[2]], ids=lambda one: one.title)
def test_design_choices(choice, tmp_path):
    report = design_report(choice)
    page = pages.open_page("reduction", differ=choice.title)
    output = run("family", "--what", choice.title, "--out", tmp_path)
    sentences = {text.value for text in (*page.markdown, *page.caption)}
    shown, tables = drawn(page), [one.value for one in page.dataframe]
    for tab in ("Patterns", "Comparisons", "Models"):
        pages.open_tab(page, tab)
        sentences |= {text.value for text in (*page.markdown, *page.caption)}
        shown |= drawn(page)
        tables += [one.value for one in page.dataframe]
    same_sentences(report, sentences, output)
    same_charts(report, shown, tmp_path, set(report.charts))
    columns = {
        "demo_models": "trained in, min",
        "beside_paper": "top-5 in the paper, %",
        "comparisons_over_images": "McNemar p",
        "comparisons_over_seeds": "t-test p",
    }
    for name, column in columns.items():
        same_table(report, name, tmp_path)
        (table,) = (one for one in tables if column in one.columns)
        pd.testing.assert_frame_equal(table, report.tables[name], check_dtype=False)


@pytest.mark.slow
def test_a_loaded_network_beside_the_demo_models(tmp_path, monkeypatch):
    handed = {}
    monkeypatch.setattr(
        "se_viz.ui.widgets.report_download.show", lambda compose, name: handed.update({name: compose()})
    )
    monkeypatch.chdir(tmp_path)
    weights = save(small_weights(3))
    Path("newts.safetensors").write_bytes(weights)
    page = pages.hand_in(
        pages.open_page("reduction", samples="cat,coffee", view="Export"), "newts.safetensors", weights
    )
    (line,) = (one for one in page.code[-1].value.splitlines() if " family " in one)
    output = run(*shlex.split(line.removeprefix("python -m se_viz ")), "--out", tmp_path, "--report", "report.html")
    report = handed["reduction"]
    assert report.sentences[-2].startswith("**newts.safetensors** has")
    assert "from the 2 chosen images" in report.sentences[-1]
    assert set(report.text) <= set(output.splitlines())
    for name in report.charts:
        assert alike(drawn_in(tmp_path / f"{name}.html"), of(report, name)), name
    assert "newts.safetensors" in [line["name"] for line in of(report, "rank_by_gate")]
    for name in ("cost", "demo_models"):
        same_table(report, name, tmp_path)
    html = Path("report.html").read_text(encoding="utf-8")
    assert "<dt>Loaded network</dt>" in html
    assert "<td>newts.safetensors</td>" in html
