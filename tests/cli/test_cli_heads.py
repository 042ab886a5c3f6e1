"""Commands on networks whose outputs are no distribution over classes, or no table, and on gates without z."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision.models import efficientnet_b0
from typer.testing import CliRunner

import se_viz
from se_viz import capture, load_checkpoint, open_profiles, predict, sample
from se_viz.cli.app import app
from se_viz.gates.capture import Capture
from se_viz.wording import signed

RUN = CliRunner()
B0, SMALL = "torchvision/efficientnet_b0", "timm/test_efficientnet"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small EfficientNet of timm with one output, and the names of its two classes."""
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(0)
    save_file(timm.create_model("test_efficientnet", num_classes=1).state_dict(), folder / "binary.safetensors")
    (folder / "names.txt").write_text("healthy\nill\n")
    return folder / "binary.safetensors"


def described(file, size=96, architecture=SMALL):
    return ["--checkpoint", str(file), "--arch", architecture, "--size", str(size), "--device", "cpu"]


@pytest.mark.slow
def test_a_single_output_is_no_class_of_a_hundred_percent(tmp_path):
    torch.manual_seed(0)
    b0 = tmp_path / "b0.safetensors"
    save_file(efficientnet_b0(num_classes=1).state_dict(), b0)
    result = RUN.invoke(app, ["inspect", "--sample", "cat", *described(b0, architecture=B0), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    model = load_checkpoint(b0, B0, size=96, device="cpu")
    (logit,) = capture(model, sample("cat")).logits[0]
    assert f"Chelsea the cat  output {signed(logit, '.4g')}" in result.output
    assert "100%" not in result.output
    assert "choose binary with --head" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [None, 0.01, 0.99])
def test_a_binary_head_gives_sigma_by_its_threshold(small, tmp_path, threshold):
    command = ["inspect", "--sample", "cat", *described(small), "--out", str(tmp_path), "--head", "binary"]
    command += ["--classes", str(small.with_name("names.txt"))]
    result = RUN.invoke(app, command + (["--threshold", str(threshold)] if threshold else []))
    assert result.exit_code == 0, result.output
    row = pd.read_csv(tmp_path / "predictions.csv").iloc[0]
    assert row["output"] == "ill"
    assert row["probability"] == pytest.approx(1 / (1 + np.exp(-row["logit"])), abs=1e-6)
    ill = row["probability"] >= (threshold or 0.5)
    assert bool(row["says"]) == ill
    assert f"Chelsea the cat  {'ill' if ill else 'healthy'} (" in result.output


@pytest.mark.slow
def test_the_python_call_says_the_same(small):
    model = load_checkpoint(small, SMALL, size=96, device="cpu", head="binary", classes=("ill",))
    captured = capture(model, [sample("cat"), sample("coffee")])
    for one, (logit,) in zip(predict(model, captured).images, captured.logits, strict=True):
        assert one.group == ("ill" if logit >= 0 else "not ill")
        assert {bar.label: bar.probability for bar in one.shown}["ill"] == pytest.approx(1 / (1 + np.exp(-logit)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--head", "classes"], "two outputs or more, and this network has 1"),
        (["--head", "labels", "--classes", "names"], "2 names of labels and 1 logit"),
        (["--classes", "names"], "2 names of outputs and 1 number. If the one output is the logit of yes, specify"),
        (["--threshold", "0.3"], "--threshold needs --head binary or --head labels"),
        (["--head", "binary", "--threshold", "1"], "a probability above 0 and below 1"),
        (["--head", "softmax"], "softmax"),
    ],
)
def test_a_head_that_does_not_fit_ends_in_a_sentence(small, options, said, tmp_path):
    given = [str(small.with_name("names.txt")) if option == "names" else option for option in options]
    result = RUN.invoke(app, ["inspect", "--sample", "cat", *described(small), *given, "--out", str(tmp_path)])
    assert result.exit_code != 0
    assert said in " ".join(result.output.replace("│", " ").split())
    assert isinstance(result.exception, SystemExit), result.exception


def test_a_head_that_does_not_fit_a_model_with_a_name_ends_in_a_sentence(tmp_path):
    result = RUN.invoke(app, ["inspect", "--sample", "cat", "--head", "binary", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "A binary head has one output, and this network has 10" in result.output


@pytest.mark.slow
def test_a_model_with_a_name_may_be_read_by_another_head(tmp_path):
    result = RUN.invoke(app, ["inspect", "--sample", "cat", "--head", "labels", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(tmp_path / "predictions.csv")
    np.testing.assert_allclose(frame["probability"], 1 / (1 + np.exp(-frame["logit"])), atol=1e-6)
    assert frame["says"].tolist() == (frame["probability"] >= 0.5).tolist()


@pytest.mark.slow
def test_without_classifier_nothing_is_predicted(tmp_path):
    torch.manual_seed(0)
    save_file(timm.create_model("test_efficientnet", num_classes=0).state_dict(), tmp_path / "body.safetensors")
    command = ["inspect", "--sample", "cat", "--checkpoint", str(tmp_path / "body.safetensors")]
    command += ["--arch", "timm/test_efficientnet", "--arg", "num_classes=0", "--out", str(tmp_path / "out")]
    result = RUN.invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "taken as features, so there are no predictions" in result.output
    assert "class " not in result.output


def read_as(monkeypatch, function):
    """Change what the commands read, as networks of other kinds would give it."""
    real = se_viz.capture
    monkeypatch.setattr(se_viz, "capture", lambda *args, **options: function(real(*args, **options)))


@pytest.mark.slow
def test_inspect_copes_without_logits(small, tmp_path, monkeypatch):
    read_as(monkeypatch, lambda captured: replace(captured, output={"out": np.zeros((1, 21, 8, 8)), "aux": None}))
    result = RUN.invoke(
        app, ["inspect", "--sample", "cat", *described(small), "--maps", "SE_5_1", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    assert "EfficientNet returns a dict with out, aux, not a single table of logits, so there are no predictions." in (
        result.output
    )
    assert pd.read_csv(tmp_path / "predictions.csv").empty
    assert pd.read_csv(tmp_path / "capture.csv")["gate"].nunique() == 2
    assert (tmp_path / "maps_SE_5_1.npz").exists()


@pytest.mark.slow
def test_inspect_copes_without_z(tmp_path, monkeypatch):
    def without_z(captured):
        gates = {name: replace(one, z=None) if name == "SE_5_2" else one for name, one in captured.gates.items()}
        return Capture(gates, captured.images, captured.output)

    read_as(monkeypatch, without_z)
    result = RUN.invoke(app, ["inspect", "--sample", "cat", "--maps", "SE_5_2", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "There is no z for SE_5_2: s was not seen to come from one squeeze of U alone there." in result.output
    for frame in (pd.read_csv(tmp_path / "capture.csv"), pd.read_parquet(tmp_path / "capture.parquet")):
        assert frame.groupby("gate")["z"].apply(lambda z: z.isna().all()).to_dict()["SE_5_2"]
        assert frame[frame["gate"] != "SE_5_2"]["z"].notna().all()
        assert frame["s"].notna().all()
    assert (tmp_path / "s_by_channel_SE_5_2_1.html").exists()
    assert not list(tmp_path.glob("z_against_s*"))
    assert json.loads((tmp_path / "health.json").read_text())["SE_5_2"]["verdict"]


@pytest.mark.slow
def test_profiles_by_what_a_binary_head_says(small, tiny_imagenette, tmp_path):
    command = ["profile", *described(small, 64), "--data", str(tiny_imagenette), "--labels", "predictions"]
    command += ["--head", "binary", "--classes", str(small.with_name("names.txt"))]
    result = RUN.invoke(app, [*command, "--out", str(tmp_path / "half")])
    assert result.exit_code == 0, result.output
    profiles = open_profiles(tmp_path / "half")
    assert profiles.classes == ("healthy", "ill")
    assert profiles.counts.sum() == 10
    assert profiles.header.head.kind == "binary"
    other = RUN.invoke(app, [*command, "--threshold", "0.99", "--out", str(tmp_path / "half")])
    assert other.exit_code == 1
    assert "settings" in other.output
    refused = RUN.invoke(app, [*command[:-4], "--out", str(tmp_path / "number")])
    assert refused.exit_code == 1
    assert "The network returns one number per image, not a class." in refused.output
    assert "--head binary" in refused.output
