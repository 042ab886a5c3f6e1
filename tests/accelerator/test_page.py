"""The page on a device: it says where it runs, gives memory back, and goes on with the CPU where none is left."""

import gc
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save
from support import pages
from support.networks import make_images
from support.quick import exhaustive

from se_viz.data.sample_images import sample
from se_viz.device import memory as device_memory
from se_viz.interventions.capture import capture
from se_viz.model.loading import load
from se_viz.ui.pages import reduction
from se_viz.ui.state import device_queue, models
from se_viz.zoo import timm_source

inspect = partial(pages.open_page, "inspect")

R16 = 4 * 2_176_874  # bytes of the parameters


def said(page):
    """The caption and all warnings, as a person reads them."""
    return " ".join(text.value for text in [*page.caption, *page.warning]).replace("\\", "")


def charts(page):
    return [chart.proto.spec for chart in page.get("plotly_chart")]


def test_it_runs_on_the_accelerator_and_says_so(memory):
    page = inspect()
    assert "fp32 on accel:0 (Test accelerator, 8.6 of 8.6 GB free)" in said(page)
    assert not page.warning
    assert memory.live > R16
    pages.open_tab(page, "Export")
    assert "device='accel:0'" in page.code[0].value
    assert "--device accel:0" in page.code[1].value


def test_the_device_can_be_chosen(memory):
    page = inspect()
    assert page.selectbox(key="device").options == ["auto", "accel:0", "accel:1", "cpu"]
    page.selectbox(key="device").set_value("accel:1").run()
    assert "fp32 on accel:1" in said(page)
    page = inspect(device="cpu", precision="bf16")
    assert "bf16 on cpu" in said(page)


@pytest.mark.parametrize("precision", ["bf16", *exhaustive("fp16")])
def test_other_precisions(precision):
    page = inspect(precision=precision)
    assert f"{precision} on accel:0" in said(page)
    assert len(charts(page)) == 4 + 2  # stages, the gate
    pages.open_tab(page, "Maps")
    assert f"{precision} on accel:0" in said(page)
    assert len(charts(page)) == 4 + 1


@pytest.fixture
def few_cards(monkeypatch):
    """Give the Reduction page three of the demo models, as finding the gates of one here takes half a second."""
    few = tuple(card for card in reduction.family_cards() if card.name in ("r2", "r16", "no-se"))
    monkeypatch.setattr(reduction, "family_cards", lambda: few)


@pytest.mark.parametrize(
    ("name", "view"),
    [
        *[("classes", {}), ("classes", {"view": "A against B"}), ("classes", {"view": "Your images"})],
        *[("network", {}), ("reduction", {}), ("reduction", {"view": "Your images"})],
    ],
)
def test_every_page_runs_there(name, view, memory, few_cards):
    page = pages.open_page(name, **view)
    assert "fp32 on accel:0" in said(page)
    assert not page.warning
    assert not page.error
    assert charts(page)


def test_without_room_for_a_model_it_goes_on_with_the_cpu(memory, settled):
    with memory.limited(free=R16 // 2):
        page = inspect()
        assert "Not enough memory for demo/r16 (0.0 GB) on accel:0" in said(page)
        assert "It runs on the CPU instead." in said(page)
        assert "fp32 on cpu" in said(page)
        assert any("the closest is" in text.value for text in page.markdown)
        assert "device='cpu'" in pages.open_tab(page, "Export").code[0].value
        settled()
        assert not memory.live


def test_without_room_for_an_image_it_goes_on_with_the_cpu_until_asked_again(memory, settled):
    model = load("demo/r16", "accel")
    size = memory.live
    model.close()
    del model
    gc.collect()
    images = 3 * 128 * 128 * 4
    # Enough to find the gates, which is done on two images and took some of what is given back now.
    models._load("demo/r16", "accel:0", "fp32")
    with memory.limited(free=images):
        page = inspect()
        assert "Not enough memory for one image of 3 × 128 × 128 in SEResNet on accel:0" in said(page)
        assert "It runs on the CPU instead." in said(page)
        assert "fp32 on cpu" in said(page)
        assert charts(page)
        settled()
        assert memory.live == size
    page.button(key="try_again").click().run()
    assert not page.warning
    assert "fp32 on accel:0" in said(page)


def test_where_neither_fits_it_is_said(memory, monkeypatch):
    with memory.limited(free=0):
        page = inspect()
        assert "fp32 on cpu" in said(page)
        monkeypatch.setattr("se_viz.device.memory._of_system", lambda *_: device_memory.memory(torch.device("accel:0")))
        models._load.clear()
        page.run()
        assert "Not enough memory for demo/r16 (0.0 GB) on cpu" in page.error[0].value.replace("\\", "")


def test_a_model_beside_the_chosen_one_falls_back_too(memory, few_cards):
    models._load("demo/r16", "accel:0", "fp32")
    with memory.limited(free=R16 // 2):
        page = pages.open_page("reduction", view="Your images")
        assert "It runs on the CPU instead." in said(page)
        assert "fp32 on cpu" in said(page)
        assert charts(page)


def test_a_block_without_room_is_drawn_on_the_cpu(memory):
    models._load("demo/r16", "accel:0", "fp32")
    with memory.limited(free=1000):
        page = pages.open_page("network")
        assert "Not enough memory for one image on accel:0" in said(page)
        assert "It runs on the CPU instead." in said(page)
        assert charts(page)


def test_the_oldest_model_makes_room_for_others(memory, settled):
    """Three are kept; the first goes to the CPU, where who still shows it goes on."""
    first = models._load("demo/r16", "accel:0", "fp32")
    one = memory.live
    expected = capture(first, sample("cat"))
    for name in ("demo/r2", "demo/r4"):
        models._load(name, "accel:0", "fp32")
    settled()
    three = memory.live
    models._load("demo/r8", "accel:0", "fp32")
    settled()
    r8 = 4 * 2_372_714
    assert three - one + r8 <= memory.live < three - one + r8 + 100_000
    assert str(first.device) == "cpu"
    found = capture(first, sample("cat"))
    for gate_capture, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(gate_capture.s, other.s)


def test_a_model_is_not_moved_in_the_middle_of_a_reading(memory, settled):
    model = models._load("demo/r16", "accel:0", "fp32")
    images = make_images(2, 64)
    futures = [device_queue.line("accel:0").submit(partial(capture, model, images)) for _ in range(3)]
    models._load.clear()
    futures += [device_queue.line("accel:0").submit(partial(capture, model, images)) for _ in range(2)]
    first, *others = (gate_capture.result(timeout=60) for gate_capture in futures)
    for other in others:
        np.testing.assert_array_equal(other.logits, first.logits)
    settled()
    assert not memory.live


def test_a_visitors_own_model_is_freed_too(memory, settled):
    page = inspect()
    settled()
    before = memory.live
    page.segmented_control(key="origin").set_value("your weights").run()
    page.selectbox(key="own_architecture").set_value("timm/test_efficientnet")
    for seed in range(3):
        torch.manual_seed(seed)
        content = save(timm_source.create("test_efficientnet").state_dict())
        page.file_uploader(key="own_weights").set_value((f"{seed}.safetensors", content, "")).run()
        assert not page.exception
        assert not page.error
        assert "fp32 on accel:0" in said(page)
    settled()
    size = sum(tensor.nbytes for tensor in timm_source.create("test_efficientnet").state_dict().values())
    assert memory.live == before + 2 * size  # two are kept


def test_a_visitors_weights_without_room_go_to_the_cpu(memory):
    page = inspect()
    torch.manual_seed(0)
    content = save(timm_source.create("test_efficientnet").state_dict())
    page.segmented_control(key="origin").set_value("your weights").run()
    page.selectbox(key="own_architecture").set_value("timm/test_efficientnet")
    with memory.limited(free=1000):
        page.file_uploader(key="own_weights").set_value(("own.safetensors", content, "")).run()
        assert "Not enough memory for own.safetensors on accel:0" in said(page)
        assert "It runs on the CPU instead." in said(page)
        assert "fp32 on cpu" in said(page)
        assert charts(page)
