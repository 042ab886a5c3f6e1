"""The Intervene page on a network of timm, downloaded from a server on this machine, and on a visitor's checkpoint."""

import dataclasses

import pytest
import torch
from safetensors.torch import save
from support.checkpoints import pickled, small_weights
from support.pages import hand_in, open_page, open_tab
from test_intervene_page import drawn, logits, numbers, said
from timm.models import _registry as timm_registry

import se_viz
from se_viz.zoo import timm_source

RELEASED = "legacy_seresnet18.in1k"  # of the kind of the paper's network, and smaller


def answers(page, model, gate):
    """Make sure that the page answers its question with the numbers of Python, and that a slider changes them."""
    image = se_viz.sample("cat")
    assert not page.exception
    assert not page.error
    before = logits(model, image)
    target = int(before.argmax())
    bars = drawn(page)[f"gate_changes_{gate}"]
    assert [bar["name"] for bar in bars] == ["s := 1", f"s of {se_viz.sample('temple').name}"]
    assert len(bars[0]["x"]) == len(model.gates)
    last = model.gates[-1].name
    after = logits(model, image, {last: 1.0})
    assert numbers(bars[0]["y"])[-1] == pytest.approx(after[target] - before[target], abs=1e-3)
    text = said(page)
    assert "this prediction" in text
    assert "because this network has no class profiles. Open the page Classes and make them there." in text
    found = se_viz.attribute(model, image, gate, target, baseline=1.0)
    text = said(open_tab(page, "Channels"))
    assert f"Channel {found.strongest(1)[0]} of {gate} has the largest attribution" in text
    open_tab(page, "Edit channels")
    page.segmented_control(key="edit").set_value("all").run()
    page.slider(key="weight").set_value(0.75).run()
    effect = logits(model, image, {gate: 0.75})[target] - before[target]
    assert not page.exception
    assert f"The effect on {model.classes[target] if model.classes else f'class {target}'} is {effect:+.3g}" in said(
        page
    )


@pytest.mark.slow
def test_a_network_of_timm_gets_an_answer(weight_server, monkeypatch):
    torch.manual_seed(0)
    network = timm_source.create("legacy_seresnet18")
    url = weight_server.release_file("seresnet18", pickled(network.state_dict()))
    config = dataclasses.replace(timm_registry._model_pretrained_cfgs[RELEASED], url=url)
    monkeypatch.setitem(timm_registry._model_pretrained_cfgs, RELEASED, config)
    page = open_page("intervene", model=f"timm/{RELEASED}", samples="cat,temple", device="cpu")
    page.button(key="fetch").click().run()
    model = se_viz.load(f"timm/{RELEASED}", "cpu")
    answers(page, model, "SE_5_2")
    assert len(model.gates) == 8
    model.close()


@pytest.mark.slow
def test_a_checkpoint_of_the_visitor_gets_an_answer():
    page = open_page("intervene", samples="cat,temple", device="cpu")
    content = save(small_weights(5))
    hand_in(page, "mine.safetensors", content)
    model = se_viz.load_checkpoint(content, "timm/test_efficientnet", device="cpu", name="mine.safetensors")
    answers(page, model, model.gates[-1].name)
    model.close()
