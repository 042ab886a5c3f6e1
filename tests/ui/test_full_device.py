"""A device that turns out to have no room, when a model is loaded or when a picture is read."""

from functools import partial

import pytest
import torch
import ui_support

from se_viz.gates.capture import capture
from se_viz.gates.model import Model, load
from se_viz.ui import eviction, models, readings, turns
from se_viz.zoo.memory import DeviceFull

open_page = partial(ui_support.open_page, "inspect")

SAID = "There is no room for one image on cuda:0."


class Elsewhere(Model):
    """A model on the CPU that says it lies on a GPU."""

    device = torch.device("cuda:0")


def elsewhere(name):
    plain = load(name, "cpu")
    plain.close()
    return Elsewhere(name, plain.network, plain.preprocess, plain.classes, gates=plain.gates)


@pytest.fixture
def gpu(monkeypatch):
    """A machine that seems to have a GPU; a function sets where it is full."""
    full = set()

    def loaded(name, device, precision="fp32"):
        if device == "cpu":
            return load(name, device, precision)
        if "loading" in full:
            raise DeviceFull(SAID)
        return elsewhere(name)

    def read(model, *args, **options):
        if model.device.type == "cuda" and "reading" in full:
            raise DeviceFull(SAID)
        return capture(model, *args, **options)

    monkeypatch.setattr(models, "available", lambda: ("cuda:0", "cpu"))
    monkeypatch.setattr(models, "resolve", lambda name: torch.device("cpu" if name == "cpu" else "cuda:0"))
    monkeypatch.setattr(models, "load", loaded)
    monkeypatch.setattr(models, "described", str)
    monkeypatch.setattr(models, "memory", lambda _: None)
    monkeypatch.setattr(readings, "capture", read)
    clear()
    yield full
    clear()


def clear():
    for kept in (models._load, models._member, readings._values, readings._maps):
        kept.clear()


def captions(page):
    return " ".join(text.value for text in page.caption)


@pytest.mark.parametrize("when", ["loading", "reading"])
def test_the_page_goes_on_with_the_cpu_and_says_so(gpu, when):
    gpu.add(when)
    page = open_page()
    assert page.warning[0].value.replace("\\", "") == f"{SAID} It runs on the CPU instead."
    assert "fp32 on cpu" in captions(page)
    assert any("The network says" in text.value for text in page.markdown)
    assert "device='cpu'" in page.code[0].value


def test_where_both_are_full_it_is_said_once(gpu, monkeypatch):
    def none(name, device, precision="fp32"):
        raise DeviceFull(f"There is no room for {name} on {device}: end what else runs there.")

    monkeypatch.setattr(models, "load", none)
    page = open_page()
    assert "no room for demo/r16 on cuda:0. It runs on the CPU instead" in page.warning[0].value.replace("\\", "")
    assert "no room for demo/r16 on cpu" in page.error[0].value


def test_a_model_beside_the_chosen_one_falls_back_too(gpu, monkeypatch):
    member = models.load

    def some(name, device, precision="fp32"):
        if name == "demo/r4" and device != "cpu":
            raise DeviceFull(SAID)
        return member(name, device, precision)

    monkeypatch.setattr(models, "load", some)
    page = ui_support.open_page("reduction")
    assert "It runs on the CPU instead" in page.warning[0].value
    assert "fp32 on cpu" in captions(page)


def test_a_model_that_makes_room_frees_the_device(gpu, monkeypatch):
    freed = []
    monkeypatch.setattr(eviction, "release", freed.append)
    model = elsewhere("demo/r16")
    eviction.let_go(model)
    turns.line("cuda:0").submit(lambda: None).result(timeout=60)
    assert freed == [torch.device("cuda:0")]


def test_it_is_tried_again_when_asked(gpu):
    gpu.add("reading")
    page = open_page()
    gpu.clear()
    page.button(key="try_again").click().run()
    assert not page.warning
    assert "fp32 on cuda:0" in captions(page).replace("\\", "")


def test_a_gpu_with_room_is_used(gpu):
    page = open_page()
    assert not page.warning
    assert "fp32 on cuda:0" in captions(page).replace("\\", "")


def test_a_full_cpu_is_said(gpu, monkeypatch):
    def none(*args, **options):
        raise DeviceFull("There is no room for one image on cpu.")

    monkeypatch.setattr(readings, "capture", none)
    page = open_page(device="cpu")
    assert "no room for one image on cpu" in page.error[0].value
