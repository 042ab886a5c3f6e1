"""The commands intervene and attribute: tables, files, and sentences for mistakes."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

import se_viz
from se_viz.cli.app import app
from se_viz.profiles.bundled import bundled_profiles
from se_viz.wording import signed

RUN = CliRunner()
GIVEN = ["--sample", "cat", "--sample", "temple", "--device", "cpu"]


@pytest.fixture(scope="module")
def images():
    return [se_viz.sample("cat"), se_viz.sample("temple")]


def run(*arguments: object) -> str:
    result = RUN.invoke(app, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def logits(model, images, edits=None) -> np.ndarray:
    return np.asarray(se_viz.capture(model, images, edits=edits).logits, np.float64)


@pytest.mark.slow
def test_a_gate_is_set_for_each_image(demo, images, tmp_path):
    output = run("intervene", *GIVEN, "--gate", "SE_5_2", "--set", "1", "--target", "tench", "--out", tmp_path)
    before, after = logits(demo, images), logits(demo, images, {"SE_5_2": 1.0})
    lines = {line.split("  ")[0]: line for line in output.splitlines() if line.endswith(tuple("0123456789"))}
    for place, image in enumerate(images):
        line = lines[image.name]
        likely = [torch.softmax(torch.tensor(row[place]), 0)[0] for row in (before, after)]
        assert line.split()[-3:] == [
            f"{likely[0]:.1%}",
            f"{likely[1]:.1%}",
            signed(after[place, 0] - before[place, 0], "+.3f"),
        ]
    assert "s := 1 in all channels of SE_5_2" in output
    frame = pd.read_csv(tmp_path / "outputs.csv")
    np.testing.assert_allclose(frame["after"], after[0], atol=1e-5)
    content = json.loads((tmp_path / "intervention.json").read_text())
    assert content["edit"] == "s := 1 in all channels of SE_5_2"
    assert content["target"] == "tench"
    assert {path.name for path in tmp_path.glob("*.html")} == {
        "before_and_after.html",
        "gate_changes.html",
        "gate_probabilities.html",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "edits"),
    [
        (["--gate", "SE_5_2", "--channel", "450", "--channel", "3", "--set", "0"], {"SE_5_2": {450: 0.0, 3: 0.0}}),
        (["--gate", "stage 4", "--set", "mean"], {"stage 4": "mean"}),
        (["--gate", "all", "--set", "0.5"], {"all": 0.5}),
        (["--gate", "SE_2_2", "--set", "other", "--other", "2"], {"SE_2_2": se_viz.swap(se_viz.sample("temple"))}),
        (["--gate", "SE_2_2", "--set", "mean of church"], {"SE_2_2": se_viz.mean_of("church")}),
        (["--gate", "SE_2_2", "--set", "shuffled 3"], {"SE_2_2": se_viz.shuffle(3)}),
        (
            ["--set", "SE_5_2[450, 3]=0.5 s", "--set", "SE_5_2[7]=1", "--set", "stage 4=mean"],
            {"SE_5_2": {450: se_viz.scale(0.5), 3: se_viz.scale(0.5), 7: 1.0}, "stage 4": "mean"},
        ),
    ],
)
def test_edits_are_those_of_python(demo, images, tmp_path, options, edits):
    run("intervene", *GIVEN, *options, "--out", tmp_path)
    np.testing.assert_allclose(
        pd.read_csv(tmp_path / "outputs.csv")["after"], logits(demo, images, edits)[0], atol=1e-5
    )


@pytest.mark.slow
def test_edits_with_places_are_said_by_place():
    places = ["--set", "SE_5_2[450,3]=other", "--set", "SE_4_1=mean", "--set", "SE_4_2=mean"]
    said = "s := that of A temple in China in channels 450, 3 of SE_5_2; s := mean in all channels of SE_4_1 and SE_4_2"
    assert said in run("intervene", *GIVEN, *places)
    assert "s := 0 in channel 4 of all gates " in run("intervene", *GIVEN, "--set", "all[4]=0")


@pytest.mark.slow
def test_a_baseline_may_be_the_mean_of_a_class(demo, images, tmp_path):
    run("attribute", *GIVEN, "--baseline", "mean of church", "--method", "exact", "--out", tmp_path)
    base = se_viz.open_profiles(bundled_profiles("demo/r16").path)["SE_5_2"].s().mean[demo.classes.index("church")]
    found = se_viz.attribute(demo, images, "SE_5_2", method="exact", baseline=base)
    frame = pd.read_csv(tmp_path / "channels_SE_5_2.csv")
    frame = frame[frame["image"] == images[0].name].sort_values("channel")
    np.testing.assert_allclose(frame["attribution"], found.values[0], atol=1e-5)
    assert json.loads((tmp_path / "intervention.json").read_text())["baseline"] == "the mean of s over church"


@pytest.mark.slow
def test_without_a_gate_each_is_edited_in_turn(demo, images):
    output = run("intervene", *GIVEN, "--focus", "2")
    before = logits(demo, images[1:])[0]
    target = int(before.argmax())
    rows = [line for line in output.splitlines() if line.startswith("SE_") and "  s " in line]
    assert len(rows) == 3 * 8
    after = logits(demo, images[1:], {"SE_4_1": "mean"})[0]
    (row,) = (one for one in rows if one.startswith("SE_4_1  s := mean"))
    assert signed(after[target] - before[target], "+.3f") in row
    changes = {
        tuple(row.split("  ")[:2]): float(re.search(r"[−+]\d+\.\d{3}", row)[0].replace("−", "-")) for row in rows
    }
    gate, edit = max(changes, key=lambda one: abs(changes[one]))
    answer = output.splitlines()[output.splitlines().index("Image 2, A temple in China:") + 1]
    assert answer.startswith(f"{gate} := {edit.removeprefix('s := ')} has the largest effect: it ")
    becomes = demo.classes[int(logits(demo, images[1:], {"SE_2_2": 1.0})[0].argmax())]
    assert becomes != demo.classes[target]
    assert answer.endswith(f"One gate can change this prediction alone: with SE_2_2 := 1 the network says {becomes}.")
    assert "For this image, s is nearly the same number in all channels of SE_4_2 (0.50)." in output


@pytest.mark.slow
def test_the_answer_begins_with_the_edit_and_what_is_repeated_counts_once():
    twice = ["--gate", "SE_5_2", "--gate", "SE_5_2", "--channel", "450", "--channel", "450", "--set", "0"]
    lines = run("intervene", *GIVEN, *twice).splitlines()
    (place,) = (place for place, line in enumerate(lines) if line.startswith("Image 1, "))
    assert lines[place + 1].startswith("s := 0 in channel 450 of SE_5_2 ")
    assert "has the largest effect: it " in lines[place + 2]


@pytest.mark.slow
def test_the_method_with_a_cross_is_typed_with_a_letter_too():
    first, second = (
        run("attribute", *GIVEN, "--method", f"gradient {cross} change", "--top", "3") for cross in ("×", "x")
    )
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["attribute", "--sample", "cat"], "add --profiles FILE, or give --baseline 1."),
        (
            ["intervene", "--sample", "cat", "--gate", "all", "--set", "mean"],
            "FILE, or give a number, as in --set 1.",
        ),
    ],
)
def test_a_network_without_a_mean_is_told_of_options(arguments, sentence, monkeypatch):
    monkeypatch.setattr("se_viz.interventions.baseline._bundled", {}.get)
    result = RUN.invoke(app, [*arguments, "--device", "cpu"])
    assert result.exit_code == 1
    assert result.output.strip().endswith(sentence)
    assert "profiles=" not in result.output


@pytest.mark.slow
def test_attributions_are_those_of_python(demo, images, tmp_path):
    options = ["--gate", "SE_5_2", "--target", "tench", "--method", "exact", "--top", "3"]
    output = run("attribute", *GIVEN, *options, "--faithfulness", "--out", tmp_path)
    found = se_viz.attribute(demo, images, "SE_5_2", "tench", "exact")
    rows = [line.split() for line in output.splitlines()[1:4]]
    for row, channel in zip(rows, found.strongest(3), strict=True):
        assert row[0] == str(channel)
        assert float(row[1]) == pytest.approx(found.values[0, channel], abs=1e-4)
    frame = pd.read_csv(tmp_path / "channels_SE_5_2.csv")
    assert len(frame) == 2 * 768
    for place, image in enumerate(images):
        part = frame[frame["image"] == image.name].sort_values("channel")
        np.testing.assert_allclose(part["attribution"], found.values[place], atol=1e-5)
    assert set(pd.read_csv(tmp_path / "faithfulness_SE_5_2.csv")["order"]) == {"attribution", "s", "|X̃ − U|", "random"}
    assert (tmp_path / "attribution_SE_5_2.html").exists()
    assert (tmp_path / "faithfulness_SE_5_2.html").exists()


@pytest.mark.slow
def test_conductance_and_its_curves_are_those_of_python(demo, images, tmp_path):
    options = ["--target", "tench", "--method", "layer-conductance", "--faithfulness", "--baseline", "1", "--top", "1"]
    output = run("attribute", *GIVEN, *options, "--out", tmp_path)
    found = se_viz.attribute(demo, images, "SE_5_2", "tench", "layer-conductance")
    assert output.splitlines()[1].split()[0] == str(found.strongest(1)[0])
    assert f"All 768 add up to {signed(found.values[0].sum(), '+.3g')}: the part that goes through s" in output
    curves = pd.read_csv(tmp_path / "faithfulness_SE_5_2.csv")
    end = curves[curves["order"] == "attribution"].iloc[-1]
    assert end["deletion"] == pytest.approx(logits(demo, images[:1], {"SE_5_2": 1.0})[0, 0], abs=1e-4)
    assert json.loads((tmp_path / "intervention.json").read_text())["baseline"] == "an image of the mean colour"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["intervene", "--sample", "cat", "--gate", "SE_9_9"], "There is no gate 'SE_9_9': choose one of SE_2_1"),
        (["intervene", "--sample", "cat", "--gate", "SE_5_2", "--set", "blue"], "or other; the value stands"),
        (["intervene", "--sample", "cat", "--gate", "SE_5_2", "--set", "nan"], "cannot be set to NaN"),
        (["intervene", "--sample", "cat", "--gate", "SE_5_2", "--set", "other"], "name two images or more"),
        (["intervene", "--sample", "cat", "--gate", "SE_5_2", "--channel", "768"], "its channels are 0 to 767"),
        (["intervene", "--sample", "cat", "--channel", "3"], "--channel needs the --gate"),
        (["intervene", "--sample", "cat", "--set", "mean"], "--set needs the gate whose s it replaces"),
        (["intervene", "--sample", "cat", "--gate", "SE_5_2", "--set", "1", "--set", "0"], "--gate takes one --set"),
        (["intervene", "--sample", "cat", "--gate", "SE_5_2", "--set", "SE_5_2=0"], "both name a gate"),
        (["intervene", "--sample", "cat", "--channel", "3", "--set", "SE_5_2=0"], "--channel needs the --gate"),
        (["intervene", "--sample", "cat", "--set", "SE_5_2=0", "--set", "SE_5_2[3]=1"], "--set names SE_5_2 twice"),
        (["intervene", "--sample", "cat", "--set", "SE_5_2[3]=0", "--set", "SE_5_2[3]=1"], "channel 3 of SE_5_2 twice"),
        (["intervene", "--sample", "cat", "--set", "SE_5_2=shuffled"], "it takes two images or more"),
        (["intervene", *GIVEN, "--other", "1"], "--other 1 is the image in focus"),
        (["intervene", "--sample", "cat", "--target", "dog"], "There is no output 'dog': choose one of tench"),
        (["intervene", "--sample", "cat", "--focus", "2"], "There is no image 2 for --focus"),
        (["intervene", "--sample", "cat", "--other", "2"], "There is no image 2 for --other"),
        (["intervene", "--sample", "cat", "--head", "features"], "there are no predictions"),
        (["attribute", "--sample", "cat", "--gate", "SE_9_9"], "There is no gate 'SE_9_9'"),
        (
            ["attribute", "--sample", "cat", "--baseline", "x"],
            "is not a value of --baseline, which takes a number, mean or 'mean of CLASS'.",
        ),
        (["attribute", "--sample", "cat", "--baseline", "1e39"], "A baseline cannot be 1e+39, which torch.float32"),
        (["attribute", "--sample", "cat", "--baseline", "shuffled"], "a baseline is the same for all images"),
        (
            ["attribute", "--sample", "cat", "--method", "layer-conductance", "--baseline", "1"],
            "--baseline is only for its curves",
        ),
        (["intervene"], "There is no image"),
        (["intervene", "--sample", "dog"], "dog"),
    ],
)
def test_mistakes_end_in_a_sentence(arguments, sentence):
    result = RUN.invoke(app, arguments)
    assert result.exit_code != 0
    assert sentence in " ".join(result.output.replace("│", " ").split())
    assert isinstance(result.exception, SystemExit), result.exception
