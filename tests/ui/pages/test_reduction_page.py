import json
from functools import partial
from threading import Event

import numpy as np
import pytest
from safetensors.torch import save
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest
from support import pages
from support.checkpoints import small_weights
from torch import nn

from se_viz import capture, load, sample
from se_viz.demo import pretrained as demo
from se_viz.demo.design_choices import DESIGN_CHOICES, RATIO, variants_of
from se_viz.demo.recipe import PREPROCESS
from se_viz.demo.seresnet import SEResNet
from se_viz.device import memory
from se_viz.device.memory import Memory
from se_viz.gates.known_gates import kind_of
from se_viz.reports.design_choices import conclusions
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.pages import reduction
from se_viz.ui.state import captures
from se_viz.ui.state import cost_queue as costs
from se_viz.ui.state import device_queue as turns
from se_viz.wording import signed
from se_viz.zoo import timm_source as from_timm
from se_viz.zoo.registry import Network

open_page = partial(pages.open_page, "reduction")


def table(page, column):
    return next(frame.value for frame in page.dataframe if column in frame.value.columns)


def test_the_answer_is_computed_from_the_cards():
    page = open_page()
    assert page.title[0].value == reduction.QUESTION
    shown = [text.value for text in (*page.markdown, *page.caption)]
    for sentence in conclusions(RATIO, demo.cards()).sentences:
        assert any(emphasised(sentence) in text for text in shown)
    pages.open_tab(page, "Models")
    listed = list(table(page, "trained in, min")["model"])
    assert listed[:5] == ["demo/r2", "demo/r4", "demo/r8", "demo/r16", "demo/r32"]
    assert set(listed) == {card.name if card.seed else f"demo/{card.name}" for card in demo.cards()}


def test_differences_are_numbers_with_a_minus_sign():
    page = open_page(view="Comparisons")
    frame = next(frame for frame in page.dataframe if "McNemar p" in frame.value)
    points = frame.value["points"]
    assert points.dtype == float
    assert (points < 0).any()
    shown = convert_arrow_bytes_to_pandas_df(frame.proto.arrow_data.styler.display_values)["points"]
    assert list(shown) == [signed(value, "+.2f") for value in points]
    assert not any("-" in text for text in shown)


@pytest.mark.slow
def test_every_ratio_shows_the_same_gate_of_its_own_network():
    page = open_page(samples="cat", view="Your images")
    gated = [card for card in variants_of(RATIO, demo.cards()) if card.network.gated]
    assert len(gated) >= 4
    for card in gated:
        spread = capture(load(f"demo/{card.name}", "cpu"), sample("cat"))["SE_5_2"].s.std(axis=1).mean()
        words = [text.value for text in page.caption if text.value.startswith(f"r = {card.network.r},")]
        assert len(words) == 1
        assert abs(float(words[0].partition("SD over channels ")[2]) - np.float64(spread)) < 2e-3


@pytest.mark.slow
def test_every_choice_shows_its_own_networks_and_table():
    page = open_page(samples="cat")
    answered = [one for one in DESIGN_CHOICES if sum(c.network.gated for c in variants_of(one, demo.cards())) > 1]
    assert page.segmented_control(key="differ").options == [choice.title for choice in answered]
    for choice in answered:
        page.segmented_control(key="differ").set_value(choice.title).run()
        assert choice.title.removesuffix(" r") in page.title[0].value
        assert not page.exception
        assert any(emphasised(conclusions(choice, demo.cards()).verdicts[0]) in text.value for text in page.markdown)
        assert any(f"table_{choice.table}" in chart.proto.id for chart in page.get("plotly_chart"))


@pytest.mark.slow
def test_every_network_says_what_it_sees():
    said = table(open_page(samples="cat", view="Predictions"), "network")
    assert set(said["network"]) == set(demo.names())
    for name in ("r4", "no-se"):
        words = said.loc[said["network"] == name].iloc[0, 1]
        assert words.rsplit(" ", 1)[0] in demo.card(name).classes


def added(page):
    """The parameters that SE adds, as the calculator says."""
    (said,) = (text.value for text in page.markdown if text.value.startswith("SE adds"))
    return int(said.partition("**")[2].partition("**")[0].replace(",", ""))


@pytest.mark.slow
def test_the_calculator_gives_the_papers_numbers():
    page = open_page(view="Cost")
    assert added(page) == 2_514_944
    page.toggle(key="last").set_value(False).run()
    assert added(page) == 942_080
    page.select_slider(key="ratio").set_value(2).run()
    assert added(page) == 942_080 * 8
    assert page.latex[0].value.endswith("= 7{,}536{,}640\n$$")


@pytest.mark.slow
def test_the_calculator_counts_the_gates_a_network_has_and_times_it(monkeypatch):
    brief = costs.latencies_ms
    monkeypatch.setattr(costs, "latencies_ms", lambda networks, side: brief(networks, side, 0.05))
    page = open_page(network="demo/r16")
    without, own = demo.card("no-se").params, demo.card("r16").params
    assert added(page) == own - without
    assert page.select_slider(key="ratio").disabled
    page.button(key="time").click().run()
    (said,) = (text.value for text in page.markdown if "ms** with these gates" in text.value)
    assert "without the gates of the last stage" in said
    page.toggle(key="last").set_value(False).run()
    page.button(key="time").click().run()
    (said,) = (text.value for text in page.markdown if "ms** with these gates" in text.value)
    assert "last stage" not in said


@pytest.mark.slow
def test_what_is_timed_has_the_gates_that_are_shown():
    choices = ((2, 3, 4, 5), (2, 3, 4), ())
    for network, pixels in (("demo/r16", 128), ("resnet18", 224)):
        side, found = costs.with_gates_of(network, 16, choices)
        assert side == pixels
        assert tuple(found) == choices
        gates = [sum(kind_of(module) is not None for module in one.modules()) for one in found.values()]
        assert gates == [8, 6, 0]


def test_the_calculator_waits_for_its_turn():
    begun, go_on = Event(), Event()

    def busy():
        begun.set()
        go_on.wait(60)

    costs.counted.clear()
    gate_capture = turns.line("cpu").submit(busy)
    begun.wait()
    counting = costs.counted("demo/r16")
    assert turns.line("cpu").ahead(counting) == 1
    go_on.set()
    gate_capture.result()
    assert counting.result()[0].params == demo.card("r16").params


@pytest.mark.parametrize(
    ("network", "said"), [("timm/regnety_2560.seer_ft_in1k", "1,283 M"), ("demo/r16", "Not enough memory")]
)
def test_a_network_too_large_for_the_server_is_refused(network, said, monkeypatch):
    costs.counted.clear()
    built = []
    monkeypatch.setattr(costs.registry, "build", built.append)
    monkeypatch.setattr(from_timm, "create", built.append)
    monkeypatch.setattr(memory, "memory", lambda _: Memory(10**6, 10**9))
    page = AppTest.from_string(
        "from se_viz.ui.widgets import cost_calculator\ncost_calculator.show()", default_timeout=60
    )
    page.query_params["network"] = network
    page.run()
    assert not page.exception
    assert said in page.warning[0].value
    assert not built


@pytest.mark.slow
def _missing():
    raise FileNotFoundError("mine.pt")


@pytest.mark.parametrize(
    ("name", "build", "said"),
    [
        (
            "mine/missing",
            _missing,
            "The function that was registered for mine/missing failed with FileNotFoundError: mine.pt.",
        ),
        ("mine/module", SEResNet, "The function that was registered for mine/module returned a SEResNet, no Network."),
        ("mine/none", lambda: Network(nn.Flatten(), PREPROCESS, (), ""), "No channel gate found in Flatten"),
    ],
)
def test_a_network_that_cannot_be_built_or_read_gets_a_sentence(name, build, said, register):
    register(name, build)
    page = open_page(view="Cost", network=name)
    assert any(said in warning.value.replace("\\", "") for warning in page.warning), page.warning
    with pytest.raises(ValueError, match=said):
        load(name, "cpu")


def test_that_the_family_is_read_in_fp32_is_said_where_the_sidebar_says_otherwise():
    said = "these networks run in fp32"
    assert sum(said in text.value for text in open_page(precision="bf16", view="Your images").caption) == 1
    assert not any(said in text.value for text in open_page(view="Your images").caption)


def test_without_images_it_says_what_to_do():
    assert escape_markdown("Drop images") in open_page(samples="").info[0].value


def test_networks_that_take_long_each_have_their_own_stop(monkeypatch):
    monkeypatch.setattr(captures, "PATIENCE", -1)
    page = open_page(samples="cat,coffee")
    assert not page.exception


@pytest.mark.slow
def test_a_network_that_is_no_demo_model_is_drawn_beside_them():
    assert not any("drawn beside the demo models" in caption.value for caption in open_page().caption)
    page = pages.hand_in(open_page(samples="cat,coffee", view="Patterns"), "newts.safetensors", save(small_weights(3)))
    name = escape_markdown("newts.safetensors")
    assert any(f"{name}, the network in the sidebar, is drawn beside" in caption.value for caption in page.caption)
    assert any(f"**{name}** are from the 2 chosen images" in text.value for text in page.markdown)
    lines = [line["name"] for line in json.loads(page.get("plotly_chart")[0].proto.spec)["data"]]
    assert {"newts.safetensors", "r = 2", "r = 16"} <= set(lines)
    pages.open_tab(page, "Your images")
    assert any(
        escape_markdown("nearest in relative depth to SE_5_2 (1.00) is SE_5_1") in one.value for one in page.caption
    )
    assert page.get("plotly_chart")[0].proto.id.endswith("heatmap_newtssafetensors_SE_5_1")
    pages.open_tab(page, "Predictions")
    assert list(table(page, "network")["network"])[:2] == ["newts.safetensors", "r2"]
    assert table(page, "network").iloc[0, 1].startswith("class ")
    pages.open_tab(page, "Cost")
    costs = table(page, "top-1")
    assert list(costs.iloc[0])[::5] == ["newts.safetensors", "not measured here"]
    assert costs.iloc[0]["parameters"] == sum(w.numel() for n, w in small_weights(3).items() if _is_parameter(n))
    assert any(
        "ablate --checkpoint ./newts.safetensors --arch timm/test_efficientnet" in one.value for one in page.code
    )


def _is_parameter(name):
    return not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
