import pytest
import torch

from se_viz import load
from se_viz.demo.recipe import PREPROCESS
from se_viz.demo.seresnet import SEResNet
from se_viz.device import devices
from se_viz.device.devices import DeviceMissing
from se_viz.interventions.capture import capture
from se_viz.zoo import registry
from se_viz.zoo.registry import Network, UnknownModel


def test_a_shipped_model_is_loaded_with_all_it_takes():
    model = load("demo/r16", "cpu")
    assert len(model.gates) == 8
    assert len(model.classes) == 10
    assert model.preprocess.crop == (128, 128)
    assert "top-1" in model.about
    assert not model.network.training


def test_an_unknown_name_lists_the_known_ones():
    for name in ("demo/r17", "r16", "", "demo/../r16"):
        with pytest.raises(UnknownModel, match="demo/r16"):
            load(name)


def test_a_registered_model_is_one_of_them(register):
    register("mine/net", lambda: Network(SEResNet(), PREPROCESS, (), "mine"))
    assert "mine/net" in registry.names()
    model = load("mine/net", "cpu")
    assert capture(model, torch.zeros(1, 3, 128, 128)).logits.shape == (1, 10)


def test_a_missing_device_is_named():
    with pytest.raises(DeviceMissing, match=r"no device 'cuda:99'; it has .*cpu"):
        devices.resolve("cuda:99")


def test_without_an_accelerator_there_is_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: None)
    assert devices.available() == ("cpu",)
    assert devices.resolve("auto") == devices.resolve("cpu") == torch.device("cpu")
    for name in ("gpu", "cuda", "mps:0"):
        with pytest.raises(DeviceMissing, match=rf"no device '{name}'; it has cpu\."):
            devices.resolve(name)
    assert str(devices.resolve("cpu")) == "cpu"
    assert str(devices.resolve("auto")) == devices.available()[0]
