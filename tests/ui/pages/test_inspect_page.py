import base64
import re
import shlex

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from support.images import encoded
from support.pages import open_app, open_tab, specs
from typer.testing import CliRunner

import se_viz
from se_viz.analysis.channel_change import change
from se_viz.analysis.health import health
from se_viz.analysis.verdicts import definitions
from se_viz.cli.app import app as cli
from se_viz.data.sample_images import SAMPLES
from se_viz.demo.recipe import PREPROCESS
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.device.devices import resolve
from se_viz.interventions.baseline import mean_weights
from se_viz.zoo.registry import Network


def photo(colour=(180, 60, 40), size=(400, 300)) -> bytes:
    rng = np.random.default_rng(sum(colour))
    pixels = np.clip(np.array(colour) + rng.normal(scale=40, size=(size[1], size[0], 3)), 0, 255).astype(np.uint8)
    return encoded(Image.fromarray(pixels), "JPEG")


def titles(page: AppTest) -> list[str]:
    return [spec["layout"]["title"]["text"] for spec in specs(page)]


def upload(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader(key="upload").set_value([(name, content, "image/jpeg") for name, content in files]).run()
    assert not page.exception
    return page


def test_first_screen_answers_without_a_click():
    page = open_app()
    assert page.title[0].value == "How did the SE gates reweight this image?"
    assert re.search(r"The network says .+ \\\(\d+%\\\)\\\. Mean weight is lowest in SE\\_", page.markdown[0].value)
    shown = titles(page)
    assert [title.split(":")[0] for title in shown[:4]] == ["SE_2_2", "SE_3_2", "SE_4_2", "SE_5_2"]
    assert len(shown) == 6
    assert all(chart.proto.alt for chart in page.get("plotly_chart"))


@pytest.mark.slow
def test_numbers_on_the_page_are_those_of_python():
    model = se_viz.load("demo/r16", "cpu")
    gate_capture = se_viz.capture(model, se_viz.sample("cat"))["SE_3_2"]
    mean = mean_weights(model, "SE_3_2")
    np.testing.assert_allclose(drawn(open_app(samples="cat")), gate_capture.s[0] - mean, atol=1e-6)
    page = open_app(samples="cat", raw="true")
    np.testing.assert_allclose(drawn(page), gate_capture.s[0], atol=1e-6)
    page.toggle(key="raw").set_value(False).run()
    np.testing.assert_allclose(drawn(page), gate_capture.s[0] - mean, atol=1e-6)


def drawn(page):
    """The heights of the bars of stage 3, by channel."""
    bars = specs(page)[1]["data"][-1]
    heights = np.frombuffer(base64.b64decode(bars["y"]["bdata"]), dtype=np.float32)
    return heights[np.argsort([int(channel) for channel in bars["x"]])]


@pytest.mark.slow
def test_the_lines_shown_run_and_give_what_the_page_shows(tmp_path, monkeypatch):
    page = upload(open_app(samples="cat", view="Export"), ("a photo.jpg", photo()))
    (tmp_path / "a photo.jpg").write_bytes(photo())
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(page.code[0].value, names)  # noqa: S102
    assert names["gate_capture"].s.shape == (2, 768)
    assert names["gate_capture"].u.shape == (2, 768, 4, 4)
    command = shlex.split(page.code[1].value)
    assert command[:3] == ["python", "-m", "se_viz"]
    result = CliRunner().invoke(cli, command[3:])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "capture/capture.csv").exists()


@pytest.mark.slow
def test_an_uploaded_photograph_comes_first_and_in_focus():
    page = upload(open_app(), ("mine.jpg", photo()))
    assert page.get("plotly_chart")[0].proto.alt.startswith("Bars of")  # of one image: the first samples go
    assert "For mine.jpg: " in page.get("plotly_chart")[0].proto.alt
    assert "mine.jpg" in titles(open_tab(page, "Maps"))[-1]


def test_bad_files_are_named_and_the_others_go_on():
    page = upload(
        open_app(),
        ("good.jpg", photo()),
        ("broken.jpg", photo()[:2000]),
        ("empty.jpg", b""),
        ("<img src=x onerror=alert(1)>.jpg", photo((10, 200, 90))),
    )
    warned = " ".join(warning.value for warning in page.warning)
    assert r"broken\.jpg" in warned
    assert r"empty\.jpg" in warned
    assert len(specs(page)[0]["data"][0]["y"]) == 2
    strip = next(element.proto.body for element in page.get("html") if "se-strip" in element.proto.body)
    assert "<img src=x" not in strip
    assert "&lt;img src=x" in strip


def test_a_link_reopens_the_view():
    page = open_app(
        samples="temple,rocket",
        focus="2",
        order="mean",
        stage5="SE_5_1",
        gate="SE_3_1",
        by="lowest s",
        shown="over the image",
    )
    shown = titles(page)
    assert shown[3].startswith("SE_5_1")
    assert shown[4].startswith("SE_3_1")
    assert len(shown) == 5  # the link names a choice of the maps, and so opens their tab
    assert "Falcon" in titles(page)[-1]
    assert specs(page)[-1]["data"][0]["type"] == "image"
    assert "channel, highest mean s first" in specs(page)[0]["layout"]["xaxis"]["title"]["text"]


def test_a_link_with_nonsense_opens_the_page_as_it_is_at_first():
    page = open_app(
        model="demo/none", device="tpu", samples="dog", focus="99", gate="SE_9_9", order="upside down", by="?"
    )
    assert [title.split(":")[0] for title in titles(page)[3:]] == ["SE_5_2"] * 2
    assert specs(page)[0]["layout"]["xaxis"]["title"]["text"] == "channel, most varying first"
    assert len(specs(page)[0]["data"][0]["y"]) == 4


@pytest.mark.slow
def test_blocks_orders_and_gates_change_what_is_drawn():
    page = open_app(samples="cat,coffee")
    page.segmented_control(key="stage2").set_value("SE_2_1").run()
    assert titles(page)[0].startswith("SE_2_1")
    page.segmented_control(key="order").set_value("similarity").run()
    columns = [int(label) for label in specs(page)[0]["data"][0]["x"]]
    assert sorted(columns) == list(range(96))
    page.selectbox(key="gate").set_value("SE_4_1").run()
    assert [title.split(":")[0] for title in titles(page)[4:]] == ["SE_4_1"] * 2
    assert not page.exception


@pytest.mark.slow
@pytest.mark.parametrize("by", ["highest s", "lowest s", "largest change"])
def test_maps_are_of_the_channels_asked_for(by):
    page = open_app(samples="cat", gate="SE_4_2", by=by)
    gate_capture = se_viz.capture(se_viz.load("demo/r16", "cpu"), se_viz.sample("cat"), maps=["SE_4_2"])["SE_4_2"]
    key = {
        "highest s": -gate_capture.s[0],
        "lowest s": gate_capture.s[0],
        "largest change": -change(gate_capture, mean_weights(se_viz.load("demo/r16", "cpu"), "SE_4_2"))[0],
    }[by]
    labels = specs(page)[-1]["layout"]["xaxis"]["ticktext"]
    assert [int(label.split("<")[0]) for label in labels] == np.argsort(key, kind="stable")[:8].tolist()


@pytest.mark.slow
def test_chosen_channels_and_the_overlay():
    page = open_app(samples="cat", view="Maps")
    page.segmented_control(key="by").set_value("chosen").run()
    page.multiselect(key="channels").set_value([5, 700]).run()
    assert [label.split("<")[0] for label in specs(page)[-1]["layout"]["xaxis"]["ticktext"]] == ["5", "700"]
    page.segmented_control(key="shown").set_value("over the image").run()
    assert specs(page)[-1]["data"][0]["type"] == "image"
    page.multiselect(key="channels").set_value([]).run()
    assert any("at least one channel" in info.value for info in page.info)
    assert not page.exception


def test_without_images_the_page_says_what_to_do():
    page = open_app()
    page.multiselect(key="samples").set_value([]).run()
    assert "choose sample images" in page.info[0].value
    assert not page.get("plotly_chart")


@pytest.mark.slow
def test_64_images_are_read_and_the_65th_is_left_out():
    files = [(f"{index}.jpg", photo((index, 255 - index, 128), (64, 64))) for index in range(65)]
    page = upload(open_app(samples=SAMPLES[0].key), *files)
    assert len(specs(page)[0]["data"][0]["y"]) == 64
    assert "2 sample" not in page.warning[0].value
    assert len(page.warning) == 2


@pytest.mark.slow
def test_stopping_keeps_what_was_read_and_goes_on_when_asked():
    page = open_app()
    keys = [sample.key for sample in SAMPLES]
    page.multiselect(key="samples").set_value(keys).run()
    page.session_state["stopped"] = (
        f"demo/r16 {resolve('auto')} fp32",
        tuple(se_viz.sample(key).sha256 for key in keys),
    )
    page.run()
    assert any("Stopped" in info.value for info in page.info)
    assert not page.get("plotly_chart")
    next(button for button in page.button if button.label == "Continue").click().run()
    assert len(page.get("plotly_chart")) == 6


@pytest.mark.parametrize("gate", ["tanh", "relu"])
def test_other_gate_functions_and_a_single_gated_stage_are_drawn_on_their_own_scale(gate, register):
    config = SEResNetConfig(gated_stages=(5,), gate=gate, width=8)
    network = Network(SEResNet(config).eval(), PREPROCESS, (), "odd")
    register(f"odd/{gate}", lambda: network)
    page = open_app(samples="cat", model=f"odd/{gate}")
    assert titles(page)[0].startswith("SE_5_2")
    assert specs(page)[0]["layout"]["yaxis"]["range"][0] == (-1 if gate == "tanh" else 0)
    assert len(titles(page)) == 3


@pytest.mark.slow
def test_one_image_gets_no_verdict_and_several_get_one_with_its_meaning():
    alone = open_app(samples="cat", gate="SE_5_2")
    assert any(text.value.startswith("**One image cannot tell**") for text in alone.markdown)
    assert next(one for one in alone.metric if one.label == "SD over images").value == "–"
    several = open_app(samples="cat,coffee,rocket", gate="SE_5_2")
    model = se_viz.load("demo/r16", "cpu")
    gate_capture = se_viz.capture(model, [se_viz.sample(name) for name in ("cat", "coffee", "rocket")])["SE_5_2"]
    said = next(text.value for text in several.markdown if text.value.startswith("Over 3 images this gate is"))
    assert f"**{health(gate_capture.s, gate_capture.gate.gate_function).verdict}**" in said
    assert any(definitions() == text.value for text in several.markdown)
