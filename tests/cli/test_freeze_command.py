"""The command `freeze`, and the comparison of accuracies that it prints."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from support.profiling import make_images, tiny
from typer.testing import CliRunner

import se_viz
from se_viz.cli.app import app
from se_viz.data.dataset_sources import dataset
from se_viz.demo.paired_comparison import points
from se_viz.interventions import bundled_ablations
from se_viz.interventions.bundled_ablations import bundled_ablation
from se_viz.interventions.bundled_ablations import path as bundled
from se_viz.interventions.frozen_accuracy import NotComparable, measure_accuracy
from se_viz.reports.frozen_report import frozen_report

CLASSES = ("tench", "church")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Six images of two classes, and a file that is not an image."""
    folder = tmp_path_factory.mktemp("photos")
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir()
        for index in range(3):
            pixels = np.random.default_rng([number, index]).integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).resize((128, 128)).save(folder / name / f"{index}.png")
    (folder / "church" / "broken.png").write_bytes(b"not an image")
    return folder


def run(*arguments):
    return CliRunner().invoke(app, ["freeze", "demo/r16", "--device", "cpu", *map(str, arguments)])


@pytest.mark.slow
def test_compares_both_networks_image_by_image(photos):
    model = se_viz.load("demo/r16", device="cpu", fast=False)
    listed, values = dataset(photos), {"all": 0.0}
    frozen = se_viz.freeze(model, values)
    found = measure_accuracy(model, frozen, listed, batch=4)
    read = [index for index, name in enumerate(listed.names) if "broken" not in name]
    images = [listed.read(index)[0].rgb for index in read]
    expected = np.array([model.classes.index(listed.classes[listed.labels[index]]) for index in read])
    before, after = (se_viz.capture(model, images, edits=edits).logits.argmax(1) for edits in (None, values))
    assert (found.before.correct, found.after.correct) == ((before == expected).sum(), (after == expected).sum())
    assert found.lost == ((before == expected) & (after != expected)).sum()
    assert found.gained == ((before != expected) & (after == expected)).sum()
    assert found.same == (before == after).sum()
    assert found.before.of == 6
    assert len(found.left_out) == 1
    assert "broken.png" in found.left_out[0]
    assert f"{found.lost} images are lost and {found.gained} gained" in frozen_report(frozen, found).sentences[1]
    model.classes = ("a", "b")
    with pytest.raises(NotComparable, match="The network has no class 'church', 'tench'"):
        measure_accuracy(model, frozen, listed)
    model.close()


@pytest.mark.slow
def test_writes_the_network_and_says_what_it_saves(photos, tmp_path):
    out = tmp_path / "small.safetensors"
    constants = ("--set", "SE_5_2=mean", "--set", "SE_2_1=mean of tench", "--set", "stage 3=1")
    table, report = tmp_path / "table.csv", tmp_path / "report.html"
    result = run(*constants, "--out", out, "--data", photos, "--table", table, "--report", report)
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(table)
    assert list(frame) == ["quantity", "before", "after", "model", "data"]
    assert list(frame["before"][:1]) == [2176874]
    assert set(frame["data"]) == {f"{photos.name}, 6 images"}
    assert "<h1>What does the network lose when gates become constants?</h1>" in report.read_text()
    lines = result.output.splitlines()
    assert any(line.split() == ["SE_5_2", "0.3978", "into", "BatchNorm", "layer4.1.bn3"] for line in lines)
    assert any(line.split() == ["parameters", "2,176,874", "2,092,778"] for line in lines)
    assert any(
        line.startswith("4 gates became constants: 84,096 parameters (3.9%) and 84,096 multiply") for line in lines
    )
    assert any(line.startswith("Top-1 over 6 images: ") for line in lines)
    frozen = se_viz.FrozenNetwork.load(out)
    model = se_viz.load("demo/r16", device="cpu", fast=False)
    images = torch.rand(1, 3, 128, 128)
    edits = {"SE_5_2": "mean", "SE_2_1": se_viz.mean_of("tench"), "stage 3": 1.0}
    expected = se_viz.capture(model, images, edits=edits).logits
    np.testing.assert_allclose(frozen.network(images).detach(), expected, atol=1e-5)
    assert json.loads(out.with_suffix(".json").read_text())["parameters"] == [2176874, 2092778]
    model.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Say which gates to freeze and to what, as in --set SE_5_2=mean."),
        (("--set", "SE_5_2=mea"), "'SE_5_2=mea' is not a value of --set, which takes GATE=VALUE, as in SE_5_2=mean;"),
        (("--set", "SE_5_2"), "VALUE is a number, mean or 'mean of CLASS'."),
        (("--set", "SE_5_2=0.5 s"), "a frozen gate no longer computes s"),
        (("--set", "SE_5_2[3]=0"), "single channels are not taken"),
        (("--set", "SE_9_9=1"), "There is no gate 'SE_9_9': choose one of SE_2_1"),
        (("--set", "SE_5_2=mean:dog"), "There is no class 'dog'"),
        (("--set", "SE_5_2=nan"), "cannot be set to NaN"),
        (("--set", "SE_5_2=1", "--set", "SE_5_2=0"), "--set names SE_5_2 twice."),
        (("--set", "SE_5_2=1", "--out", "x.pt"), "--out is a safetensors file, such as x.safetensors, not x.pt"),
        (("--set", "SE_5_2=1", "--data", "/nowhere"), "There is no file or folder /nowhere"),
        (("--set", "SE_5_2=1", "--out", "a/b.safetensors"), "a/b.safetensors was not written, as a does not exist"),
    ],
)
def test_says_what_is_wrong(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 1
    assert said in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("constant", ["SE_5_2=mean", "stage 4=1"])
def test_says_what_it_costs_by_the_ablation_that_measured_it(constant, tmp_path):
    place, _, value = constant.partition("=")
    row = bundled_ablation("demo/r16")[f"{place} := {value}"]
    result = run("--set", constant, "--out", tmp_path / "x.safetensors")
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert f"a change of {points(row.change.value)} points (95% interval {points(row.change.low)} to " in text
    assert f"{row.lost:,} images are lost and {row.gained:,} gained" in text
    assert f"The ablation measured it with {place} := {value} on imagenette2-" in text


@pytest.mark.slow
def test_says_plainly_when_the_cost_is_not_known(tmp_path, monkeypatch):
    out = ("--out", tmp_path / "x.safetensors")
    text = " ".join(run("--set", "SE_5_2=0.3", *out).output.split())
    assert "The accuracy that this costs is not known: no edit of the ablation sets exactly these gates" in text
    assert text.index("Add --data DIR to measure it before and after.") > text.index("not known")
    with monkeypatch.context() as patched:
        patched.setattr(bundled_ablations, "folder", lambda: tmp_path)
        without = run("--set", "SE_5_2=mean", *out).output
    assert "not known: there is no ablation of this network." in " ".join(without.split())
    other = CliRunner().invoke(
        app, ["freeze", "demo/r2", "--set", "SE_5_2=1", "--ablation", str(bundled("demo/r16")), *map(str, out)]
    )
    assert other.exit_code == 1
    assert "This ablation is of demo/r16, not of the demo/r2 that is loaded" in other.output


def test_an_ablation_knows_exactly_the_edits_that_it_measured(tmp_path):
    model = tiny(classes=("red", "green", "blue"))
    photos = make_images(tmp_path / "photos", ("red", "green", "blue"), count=2)
    edits = {"both": {"SE_2_1": 1.0, "SE_1_1": 0.5}, "SE_1_1": [0.5, {0: 0.5}], "all": 1.0}
    found = se_viz.ablate(model, photos, tmp_path / "out", edits=edits, batch=2, shard=2)
    half, ones = np.full(model.gates[0].channels, 0.5), {gate.name: np.ones(gate.channels) for gate in model.gates}
    for weights, name in (
        ({"SE_2_1": ones["SE_2_1"], "SE_1_1": half}, "both"),
        ({"SE_1_1": half}, "SE_1_1 := 0.5"),
        (ones, "all := 1"),
        ({"SE_1_1": half + 1e-12}, None),
        ({"SE_2_1": ones["SE_2_1"]}, None),
        ({"SE_1_1": half, "SE_9_9": half}, None),
        ({}, None),
    ):
        row = found.row_of(weights)
        assert (row and row.name) == name
    frozen = se_viz.freeze(model, {"SE_1_1": 0.5})
    assert found["SE_1_1 := 0.5"] == found.row_of({gate.name: gate.s for gate in frozen.gates})


def test_a_network_without_a_mean_is_told_of_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("se_viz.interventions.baseline._bundled", {}.get)
    result = run("--set", "SE_5_2=mean")
    assert result.exit_code == 1
    assert result.output.strip().endswith("add --profiles FILE, or give a number, as in --set GATE=1.")
