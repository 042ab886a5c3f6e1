"""A mean of s that is unknown: Python, the shell and the page each say why, and what to do there."""

import pickle

import numpy as np
import pytest
from support.profiling import make_images, tiny
from typer.testing import CliRunner

import se_viz
from se_viz.cli.app import app
from se_viz.interventions.ablation_file import open_ablation
from se_viz.interventions.baseline import NoMean, mean_weights
from se_viz.interventions.gate_effects import why_no_mean
from se_viz.reports.unknown_mean import unknown_mean

RUN = CliRunner()
CLASSES = ("a", "b")


@pytest.fixture
def reasons(make_profiles):
    """The error for each reason: no class profiles, those of another network, and those without images of a class."""
    gates = {"SE_1_1": np.full((1, 8), 0.5)}
    network = tiny().network
    calls = {
        "make": lambda: mean_weights(network, "SE_1_1"),
        "remake": lambda: mean_weights(network, "SE_9_9", make_profiles(gates, [0], CLASSES)),
        "": lambda: mean_weights(network, "SE_1_1", make_profiles(gates, [0], CLASSES), "b"),
    }
    found = {}
    for remedy, call in calls.items():
        with pytest.raises(NoMean) as caught:
            call()
        found[remedy] = caught.value
    return found


def test_each_reader_is_told_what_to_do_where_they_are(reasons):
    for remedy, error in reasons.items():
        assert error.remedy == remedy
        assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - written on this line
        shell = unknown_mean(error, "shell", ", or give 1")
        said = {"python": str(error), "shell": shell, "page": unknown_mean(error, "page")}
        assert all(text.startswith(error.why) for text in said.values())
        assert ("pass profiles=open_profiles(…)" in said["python"]) == (remedy == "make")
        assert said["shell"].endswith("add --profiles FILE, or give 1.") == bool(remedy)
        assert said["page"].endswith("there.") == bool(remedy)
        assert not any("profiles=" in said[place] or "C numbers" in said[place] for place in ("shell", "page"))
        assert "--profiles" not in said["page"]


def test_a_reason_is_found_where_there_is_no_mean():
    model = tiny()
    error = why_no_mean(model)
    assert error is not None
    assert error.remedy == "make"
    demo = se_viz.load("demo/r16", "cpu", fast=False)
    assert why_no_mean(demo) is None
    demo.close()


@pytest.mark.slow
def test_commands_speak_of_options(tmp_path, monkeypatch):
    monkeypatch.setattr("se_viz.interventions.baseline._bundled", {}.get)
    monkeypatch.chdir(tmp_path)
    photos = make_images(tmp_path / "photos", ("tench", "church"), count=1)
    for command, said in (
        (["ablate", "--data", photos, "--set", "mean"], "add --profiles FILE, or give a number, as in --set 1."),
        (["freeze", "demo/r16", "--set", "SE_5_2=mean"], "or give a number, as in --set GATE=1."),
        (["intervene", "--sample", "cat", "--set", "SE_5_2=mean"], "or give a number, as in --set 1."),
        (["intervene", "--sample", "cat"], "Make them with `se-viz profile` and add --profiles FILE."),
        (["attribute", "--sample", "cat", "--baseline", "mean of church"], "or give --baseline 1."),
    ):
        result = RUN.invoke(app, [*map(str, command), "--device", "cpu"])
        assert " ".join(result.output.split()).endswith(said), result.output
        assert "profiles=" not in result.output


@pytest.mark.slow
def test_a_mean_that_was_not_asked_for_is_left_out_with_a_note_for_all_readers(tmp_path, monkeypatch):
    monkeypatch.setattr("se_viz.interventions.baseline._bundled", {}.get)
    photos = make_images(tmp_path / "photos", ("tench", "church"), count=1)
    options = ["--gate", "SE_5_2", "--batch", "2", "--shard", "2", "--device", "cpu", "--out", str(tmp_path / "out")]
    result = RUN.invoke(app, ["ablate", "--data", str(photos), *options])
    assert result.exit_code == 0, result.output
    assert [row.name for row in open_ablation(tmp_path / "out").rows] == ["SE_5_2 := 1", "SE_5_2 := shuffled"]
    assert "No gate was set to its mean. The mean of s is unknown" in result.output
    assert "The command `profile` and the page Classes make class profiles." in result.output
    assert "profiles=" not in result.output
