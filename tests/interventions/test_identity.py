"""Class profiles and ablations are taken only for the network that they are of, in each precision."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.ablations import CLASSES, SETTINGS, make_images, tiny
from typer.testing import CliRunner

import se_viz
from se_viz.cli.app import app
from se_viz.interventions.baseline import NoMean
from se_viz.interventions.bundled_ablations import bundled_ablation
from se_viz.profiles.bundled import bundled_profiles
from se_viz.profiles.class_profiles import open_profiles
from se_viz.profiles.errors import ProfilesMismatch


@pytest.fixture(scope="module", params=["fp32", "bf16", "fp16"])
def demo(request):
    model = se_viz.load("demo/r16", device="cpu", precision=request.param)
    yield model
    model.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        lambda m, p: se_viz.capture(m, torch.zeros(1, 3, 128, 128), edits={"SE_5_2": "mean"}, profiles=p),
        lambda m, p: se_viz.attribute(m, torch.zeros(1, 3, 128, 128), "SE_5_2", 0, "gradient × change", profiles=p),
        lambda m, p: se_viz.freeze(m, {"SE_5_2": "mean"}, profiles=p),
    ],
)
def test_means_of_another_network_are_refused(demo, call):
    with pytest.raises(ProfilesMismatch, match=r"of demo/r2, not of the loaded demo/r16 .weights differ"):
        call(demo, bundled_profiles("demo/r2"))


@pytest.mark.parametrize(
    "call",
    [
        lambda network, p: se_viz.capture(network, torch.zeros(1, 3, 64, 64), edits={"SE_1_1": "mean"}, profiles=p),
        lambda network, p: se_viz.attribute(network, torch.zeros(1, 3, 64, 64), "SE_1_1", 0, profiles=p),
        lambda network, p: se_viz.freeze(network, {"SE_1_1": "mean"}, profiles=p, size=64),
    ],
)
def test_class_profiles_with_other_channels_are_not_those_of_a_bare_network(call, make_profiles):
    profiles = make_profiles({"SE_1_1": np.full((2, 5), 0.5)}, [0, 1], ("a", "b"))
    with pytest.raises(NoMean, match=r"of another network: SE_1_1 has 5 channels there and 8 here\. Make"):
        call(tiny().network, profiles)


def test_an_ablation_with_means_of_another_network_is_refused(demo, tmp_path):
    photos = make_images(tmp_path / "photos", CLASSES, count=1)
    with pytest.raises(ProfilesMismatch, match="not of the loaded demo/r16"):
        se_viz.ablate(demo, photos, tmp_path / "out", edits=["mean"], profiles=bundled_profiles("demo/r2"), **SETTINGS)


def test_files_of_the_published_weights_are_taken_in_each_precision(demo):
    profiles = open_profiles(bundled_profiles("demo/r16").path, demo)
    bundled_ablation("demo/r16").check(demo)
    with demo.reference() as published:
        profiles.check(published)
    applied = se_viz.capture(demo, torch.zeros(1, 3, 128, 128), edits={"SE_5_2": "mean"}, profiles=profiles)
    assert np.isfinite(applied["SE_5_2"].s_applied).all()


def test_an_ablation_of_another_network_is_refused(demo):
    ablation = bundled_ablation("demo/r16")
    other = replace(ablation, model=bundled_profiles("demo/r2").header.model)
    with pytest.raises(ProfilesMismatch, match=r"This ablation is of demo/r2, not of the demo/r16 .*weights differ"):
        other.check(demo)


def test_weights_that_changed_after_they_were_rounded_are_others():
    with torch.no_grad():
        model = se_viz.load("demo/r2", device="cpu", precision="bf16", fast=False)
        next(model.network.parameters()).mul_(2)
    with pytest.raises(ProfilesMismatch, match="weights differ"):
        bundled_profiles("demo/r2").check(model)
    model.close()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["freeze", "ablate"])
def test_commands_refuse_class_profiles_of_another_network(command, tmp_path):
    profiles = ["--profiles", str(bundled_profiles("demo/r2").path), "--set", "1", "--out", str(tmp_path / "out")]
    if command == "ablate":
        profiles += ["--data", str(make_images(tmp_path / "photos", CLASSES, count=1))]
    else:
        profiles[3], profiles[5] = "SE_5_2=1", str(tmp_path / "frozen.safetensors")
    result = CliRunner().invoke(app, [command, *profiles])
    assert result.exit_code != 0
    assert "class profiles of demo/r2" in " ".join(result.output.split())
