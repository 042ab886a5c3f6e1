"""Pretrained networks by name, with weights that the tests made, from a server on this machine."""

import dataclasses
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save as save_safetensors
from support.checkpoints import Evil, pickled
from timm.models import _registry as registry
from torchvision.models import MobileNet_V3_Small_Weights
from typer.testing import CliRunner

from se_viz import load
from se_viz.cli.app import app
from se_viz.interventions.capture import capture
from se_viz.weights.cache import hash_in
from se_viz.weights.errors import Cancelled, DownloadFailed, WeightsRefused
from se_viz.weights.remote_files import HubFile
from se_viz.zoo import gate_index as table
from se_viz.zoo import libraries as sources
from se_viz.zoo import registry as catalogue
from se_viz.zoo import timm_source as from_timm
from se_viz.zoo import torchvision_source as from_torchvision
from se_viz.zoo.registry import UnknownModel

RUN = CliRunner()
HUB = "test_efficientnet.r160_in1k"
RELEASE = "legacy_seresnet18.in1k"


def logits(network, side):
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return network(images).numpy(), images


def same(model, network, side):
    expected, images = logits(network, side)
    torch.testing.assert_close(torch.from_numpy(capture(model, images).logits), torch.from_numpy(expected))


def test_from_the_hub(weight_server):
    torch.manual_seed(0)
    network = from_timm.create("test_efficientnet")
    content = save_safetensors(network.state_dict())
    weight_server.hub_file(f"timm/{HUB}", content)
    assert not catalogue.listing(f"timm/{HUB}").cached
    seen = []
    model = load(f"timm/{HUB}", "cpu", report=seen.append)
    assert seen[-1].done == seen[-1].total == len(content)
    assert len(model.classes) == 1000
    assert model.preprocess == from_timm.preprocess(*HUB.split("."))
    assert "test_efficientnet of timm, weights r160_in1k, 0.4 M parameters" in model.about
    same(model, network, 160)
    assert catalogue.listing(f"timm/{HUB}").cached


@pytest.mark.slow
def test_from_a_shell(weight_server):
    failed = RUN.invoke(app, ["gates", f"timm/{HUB}"])
    assert failed.exit_code == 1
    assert "does not exist (404)" in failed.output
    weight_server.hub_file(f"timm/{HUB}", save_safetensors(from_timm.create("test_efficientnet").state_dict()))
    listed = RUN.invoke(app, ["gates", f"timm/{HUB}"])
    assert listed.exit_code == 0, listed.output
    assert [line.split()[0] for line in listed.output.splitlines()][:3] == ["gate", "SE_4_1", "SE_5_1"]


def test_a_name_without_a_tag_has_the_librarys_default_weights(weight_server):
    weight_server.hub_file(f"timm/{HUB}", save_safetensors(from_timm.create("test_efficientnet").state_dict()))
    assert "weights r160_in1k" in load("timm/test_efficientnet", "cpu").about


@pytest.mark.slow
def test_from_a_release(weight_server, monkeypatch):
    torch.manual_seed(0)
    network = from_timm.create("legacy_seresnet18")
    url = weight_server.release_file("seresnet18", pickled(network.state_dict()))
    monkeypatch.setitem(
        registry._model_pretrained_cfgs, RELEASE, dataclasses.replace(registry._model_pretrained_cfgs[RELEASE], url=url)
    )
    model = load(f"timm/{RELEASE}", "cpu")
    assert [gate.name for gate in model.gates] == [f"SE_{stage}_{block}" for stage in (2, 3, 4, 5) for block in (1, 2)]
    same(model, network, 224)


@pytest.mark.slow
def test_from_torchvision(weight_server, monkeypatch):
    torch.manual_seed(0)
    network = from_torchvision.create("mobilenet_v3_small")
    url = weight_server.release_file("mobilenet_v3_small", pickled(network.state_dict()))
    monkeypatch.setattr(MobileNet_V3_Small_Weights.IMAGENET1K_V1.value, "url", url)
    model = load("torchvision/mobilenet_v3_small", "cpu")
    assert len(model.gates) == 9
    assert model.classes == from_torchvision.IMAGENET
    assert "67.7% top-1" in model.about
    same(model, network, 224)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (save_safetensors({"a": torch.zeros(1)}), "does not contain the weights of timm/test_efficientnet"),
        (b"not safetensors at all", "does not contain the weights of timm/test_efficientnet"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weight_server, content, said):
    weight_server.hub_file(f"timm/{HUB}", content)
    with pytest.raises(WeightsRefused, match=said):
        load(f"timm/{HUB}", "cpu")


def test_a_pickle_that_would_run_code_is_refused(weight_server, tmp_path):
    weight_server.hub_file(f"timm/{HUB}", pickled({"a": Evil(tmp_path / "trap")}), "pytorch_model.bin")
    with pytest.raises(WeightsRefused, match="does not contain the weights"):
        load(f"timm/{HUB}", "cpu")
    assert not (tmp_path / "trap").exists()


def test_a_download_can_fail_and_be_cancelled(weight_server):
    with pytest.raises(DownloadFailed, match="404"):
        load(f"timm/{HUB}", "cpu")
    weight_server.hub_file(f"timm/{HUB}", bytes(1_000_000))
    with pytest.raises(Cancelled):
        load(f"timm/{HUB}", "cpu", cancelled=lambda: True)


@pytest.mark.slow
def test_the_papers_networks_are_listed_first_and_slow_imports_are_not_made_for_it():
    code = (
        "import sys; from se_viz.zoo import registry; print(*registry.names()); "
        "print({'timm', 'scipy.stats'} & set(sys.modules))"
    )
    listed, imported = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert imported == "set()"
    names = [name for name in listed.split() if not name.startswith("demo/")]
    assert names[:5] == [f"timm/legacy_seresnet{depth}.in1k" for depth in (18, 34, 50, 101, 152)]
    assert names[5:9] == [
        *(f"timm/legacy_seresnext{size}.in1k" for size in ("26_32x4d", "50_32x4d", "101_32x4d")),
        "timm/legacy_senet154.in1k",
    ]
    assert "timm/seresnet50.ra2_in1k" in names[9:13]
    assert {"torchvision/regnet_y_400mf", "torchvision/regnet_y_400mf.IMAGENET1K_V1"} < set(names)
    families = {name.removeprefix("torchvision/").split("_")[0] for name in names if name.startswith("torchvision/")}
    assert families == {"efficientnet", "maxvit", "mobilenet", "regnet"}
    assert len(names) > 400
    assert len(set(names)) == len(names)


def test_the_table_is_of_the_libraries_that_are_installed():
    """After another timm or torchvision, `python -m se_viz discover` brings the table up to date."""
    assert {name: row.weights for name, row in table.bundled_gates().items()} == sources.architectures()


@pytest.mark.slow
def test_every_network_that_is_listed_can_be_used():
    for name in catalogue.names():
        if name.startswith(("timm/", "torchvision/")):
            source, architecture, tag = sources.split(name)
            weights = source.weights(architecture, tag or table.bundled_gates()[name].weights[0])
            assert isinstance(weights, HubFile) or hash_in(weights.url), name
            assert catalogue.listing(name).crop > (0, 0)
            names = source.classes(architecture, tag)
            # The networks of embeddings have logits without names.
            assert len(names) == source.facts(architecture, tag).classes or "mclip" in name, name


def test_what_is_known_before_anything_is_fetched(weight_server):
    known = catalogue.listing("torchvision/regnet_y_400mf")
    assert (known.family, known.gates, known.params) == ("regnet", 16, 4_344_144)
    assert known.top1 == pytest.approx(0.758, abs=1e-3)
    assert known.licence == ""
    swag = catalogue.listing("torchvision/regnet_y_16gf.IMAGENET1K_SWAG_LINEAR_V1")
    assert swag.licence.endswith("SWAG/blob/main/LICENSE")
    assert known.size == pytest.approx(17.6e6, rel=0.01)
    known = catalogue.listing("timm/seresnet50.ra2_in1k")
    assert (known.family, known.licence, known.top1, known.crop) == ("resnet", "apache-2.0", None, (224, 224))
    assert known.size == pytest.approx(112e6, rel=0.01)
    assert not weight_server.asked


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("timm/seresnet50.ra3_in1k", r"There is no model .*Similar names are .*timm/seresnet50\.ra2_in1k"),
        ("timm/resnet50", "has no channel gate"),
        ("timm/skresnet18", r"has no channel gate .*softmax"),
        ("timm/none", r"There is no model 'timm/none'\..* Choose one of demo/.* models of timm and torchvision"),
        ("torchvision/regnet_y_400mf.IMAGENET1K_V9", "Similar names are torchvision/regnet_y_400mf"),
        ("timm/", "There is no model"),
    ],
)
def test_an_unknown_name_is_told_from_those_there_are(name, said):
    for ask in (catalogue.listing, catalogue.build):
        with pytest.raises(UnknownModel, match=said):
            ask(name)
