"""Figures at the sizes of print and slides: the text that is drawn, and what the files say of themselves."""

import io
import json
import re
import zlib
from contextlib import suppress

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image, PdfParser

from se_viz.figures.class_profiles import mean_excitation
from se_viz.figures.export import figure_bytes
from se_viz.figures.export_presets import PRESETS, fitted, presented
from se_viz.figures.heatmap import attention_heatmap
from se_viz.figures.provenance import Provenance

SOURCE = Provenance("demo/r16", "val of <Imagenette> & é, 3,925 images")


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    means = {name: rng.uniform(size=64) for name in ("tench", "church")}
    return mean_excitation("SE_5_2", means, rng.uniform(size=64), (0, 1), range(64))


def painted(pdf):
    """The streams of a PDF that are compressed."""
    found = b""
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        with suppress(zlib.error):
            found += zlib.decompress(stream)
    return found


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_its_width_no_title_and_no_small_text(drawn, name):
    figure = fitted(drawn.figure, PRESETS[name])
    assert figure.layout.width == pytest.approx(PRESETS[name].width * 96, abs=1)
    assert figure.layout.title.text is None
    assert drawn.figure.layout.title.text
    sizes = [float(size) for size in re.findall(r'"size":([\d.]+)', figure.to_json())]
    assert min(sizes) >= 7 / 72 * 96
    assert figure.layout.font.size >= 7 / 72 * 96


def test_text_of_annotations_and_colour_bars_grows_too():
    figure = go.Figure(go.Heatmap(z=[[1.0, 2.0]], colorbar={"tickfont": {"size": 5}}))
    figure.add_annotation(text="x<sub>1</sub>", font={"size": 4})
    small = fitted(figure, PRESETS["column"])
    assert small.data[0].colorbar.tickfont.size >= 9.3
    assert small.layout.annotations[0].font.size >= 9.3
    assert small.layout.annotations[0].text == "x1"


def test_a_files_name_says_what_is_in_it():
    name = SOURCE.file_name("classes_SE_5_2", "column", "pdf")
    assert re.fullmatch(r"classes_SE_5_2__demo-r16__val-of-Imagenette-3-925-images__se-viz-[\w.]+__column\.pdf", name)


def test_a_preset_of_html_is_refused(tmp_path):
    from se_viz.reports.report import Report

    with pytest.raises(ValueError, match="choose one of these as the format"):
        Report("?", lambda: ()).write(tmp_path / "out", preset="column")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.browser
def test_drawn_files_have_metadata_their_size_and_text_of_7_points(drawn, chromium):
    asked = {"name": drawn.name, "provenance": SOURCE}
    svg = figure_bytes(drawn.figure, "svg", "column", **asked).decode()
    assert 'width="3.5in"' in svg
    sizes = [float(size) for size in re.findall(r"font-size: ?([\d.]+)px", svg)]
    assert sizes
    assert min(sizes) * 72 / 96 >= 7 - 1e-3  # a unit of the drawing is a pixel, as it is 336 wide
    assert 'viewBox="0 0 336 ' in svg
    assert "@font-face{font-family:'DejaVu Sans';src:url(data:font/woff;base64," in svg
    assert "font-family: 'DejaVu Sans', Arial, Helvetica, sans-serif" in svg.replace("&quot;", "'")
    assert '<meta name="Images">val of &lt;Imagenette&gt; &amp; é, 3,925 images</meta>' in svg
    with Image.open(io.BytesIO(figure_bytes(drawn.figure, "png", "column", **asked))) as image:
        assert image.width == 1050
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        said = {name: image.info[name] for name in ("Model", "Images", "Gate", "Title")}
    assert said == {"Model": "demo/r16", "Images": SOURCE.images, "Gate": "SE_5_2", "Title": "classes_SE_5_2"}
    pdf = figure_bytes(drawn.figure, "pdf", "column", **asked)
    assert re.search(rb"/FontFile2", pdf)  # the fonts are inside
    assert re.search(rb"/MediaBox ?\[0 0 252 ", pdf)  # 3.5 in
    assert re.search(rb"\n0 0 336 \d+ re\n", painted(pdf))  # all of it: no margin of the page moves or cuts it
    read = PdfParser.PdfParser(buf=pdf)
    assert read.info.Model == "demo/r16"
    assert read.info.Images == SOURCE.images
    assert read.info.Title == "classes_SE_5_2"
    assert read.info.Software.startswith("SE Viz ")


def test_a_presented_chart_has_the_same_data_with_large_text(captured):
    chart = attention_heatmap(captured["SE_2_1"], [str(index) for index in range(captured.images)])
    shown = presented(chart)
    layout = shown.figure.layout
    bar = shown.figure.data[0].colorbar
    fonts = (layout.font, layout.title.font, layout.xaxis.tickfont, layout.yaxis.title.font, bar.tickfont)
    assert min(font.size for font in fonts) >= 20
    assert layout.height > chart.figure.layout.height
    before, after = (json.loads(one.figure.to_json())["data"][0]["z"] for one in (chart, shown))
    assert before == after
    assert chart.figure.layout.font.size is None  # as it was
