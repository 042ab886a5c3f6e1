"""``se-viz ablate``."""

import json

import pandas as pd
import pytest
from support.ablations import make_images
from typer.testing import CliRunner

from se_viz.cli.app import app
from se_viz.interventions.ablation_file import open_ablation
from se_viz.interventions.bundled_ablations import bundled_ablation, rebuild_ablations
from se_viz.profiles.make_shards import ShardMaker
from se_viz.reports.ablation import ablation_report

RUN = CliRunner()
NAMES = ("tench", "church", "gas pump")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("photos"), NAMES, count=3)


def invoke(photos, out, *options):
    return RUN.invoke(app, ["ablate", "--data", str(photos), "--out", str(out), "--device", "cpu", *options])


@pytest.mark.slow
def test_it_prints_a_row_for_each_edit_and_writes_the_numbers(photos, tmp_path):
    (photos / "church" / "broken.png").write_bytes(b"\\x89PNG\\r\\n\\x1a\\nbroken")
    out, table = tmp_path / "out", tmp_path / "table.csv"
    options = ("--gate", "SE_5_2", "--gate", "stage 2", "--set", "1", "--set", "mean of tench", "--set", "0.5 s")
    result = invoke(photos, out, *options, "--set", "shuffled", "--table", str(table), "--loss", "100")
    (photos / "church" / "broken.png").unlink()
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [lines[row].split("  ")[0] for row in range(1, 6)] == [
        "as it is",
        "SE_5_2 := 1",
        "SE_5_2 := mean of tench",
        "SE_5_2 := 0.5 s",
        "SE_5_2 := shuffled",
    ]
    assert "broken.png was left out" in result.output
    assert f"1 table, 2 figures and ablation.json are in {out}/" in result.output
    assert {path.name for path in out.iterdir()} >= {"ablation.csv", "accuracy_by_gate.html", "accuracy_by_stage.html"}
    found = open_ablation(out)
    report = ablation_report(found, 1.0)
    assert "alone can be a constant, with a loss below 100 points" in report.text[-1]
    assert set(report.text) <= set(lines)
    assert found.images == 9
    assert len(found.rows) == len(pd.read_csv(table)) - 1 == 8
    assert f"{found['stage 2 := 1'].accuracy.top1:.1%}" in lines[6]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--gate", "SE_9_9"), "There is no gate 'SE_9_9': choose one of SE_2_1"),
        (("--set", "median"), "'median' is not a value of --set, which takes a number"),
        (("--set", "other"), "shuffled gives each image the s of another"),
        (("--set", "SE_5_2[900]=1"), "its channels are 0 to 767"),
        (("--gate", "SE_5_2", "--set", "SE_5_2=1"), "both name a gate: leave --gate out"),
        (("--set", "SE_5_2=1", "--set", "0"), "--set names a gate in some values only"),
        (("--set", "nan"), "NaN or an infinite"),
        (("--set", "mean of cat"), "There is no class 'cat' in these class profiles"),
        (("--batch", "1"), "batch must be 2 or more"),
        (("--profiles", "nowhere"), "no class profiles at nowhere"),
        (("--model", "demo/no-se"), "No channel gate found in SEResNet"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(options, said, photos, tmp_path):
    result = invoke(photos, tmp_path / "out", *options)
    assert result.exit_code == 1
    assert said in result.output
    assert not (tmp_path / "out").exists()


def test_stopped_it_says_what_is_kept(photos, tmp_path, monkeypatch):
    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(ShardMaker, "shards", stop)
    result = invoke(photos, tmp_path / "out", "--gate", "SE_5_2", "--set", "1")
    assert result.exit_code == 130
    assert "Stopped. 0 images measured and kept; the same command continues after them." in result.output


def test_every_option_is_explained_by_a_sentence():
    text = RUN.invoke(app, ["ablate", "--help"], env={"COLUMNS": "250"}).output
    for name in ("--gate", "--set", "--labels", "--loss", "--batch", "--shard", "--family"):
        assert name in text


@pytest.mark.slow
def test_the_family_is_rebuilt_where_it_is_not_there(photos, tmp_path):
    made = list(rebuild_ablations(photos, tmp_path, "cpu", only="demo/r16"))
    assert [(file.name, len(ablation.rows)) for file, ablation in made] == [("r16.json", 39)]
    before = made[0][0].stat().st_mtime_ns
    assert next(rebuild_ablations(photos, tmp_path, "cpu", only="demo/r16"))[1] == made[0][1]
    assert made[0][0].stat().st_mtime_ns == before
    assert json.loads(made[0][0].read_text())["model"]["name"] == "demo/r16"


def test_the_bundled_one_is_of_the_demo_model_on_all_validation_images():
    import se_viz

    found = bundled_ablation("demo/r16")
    model = se_viz.load("demo/r16", "cpu")
    found.check(model)
    model.close()
    assert (found.images, found.source.images) == (3925, 3925)
    assert not found.refused
    assert {row.scope for row in found.rows} == {"gate", "stage", "all"}
    assert found.right().sum() == found.as_it_is.accuracy.correct
