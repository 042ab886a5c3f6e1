"""Commands that write figures, tables or a report offer the same options, and their files say what they show."""

from dataclasses import fields
from typing import get_args

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from se_viz.cli.app import app
from se_viz.cli.output_options import OutputOptions
from se_viz.figures.export import Format
from se_viz.figures.export_presets import PRESETS

RUN = CliRunner()

# Commands whose --out is something else than the folder of a report, and what it is.
OTHER_OUT = {
    "profile": "class profiles",
    "freeze": "weights",
    "train": "weights",
    "discover": "the table of gates that SE Viz ships",
    "responses": "the shipped measurements",
}


def commands():
    listed = typer.main.get_command(app).commands
    return {name: {option.name: option for option in command.params} for name, command in listed.items()}


COMMANDS = commands()
REPORTING = [name for name, options in COMMANDS.items() if "figures" in options]


def kind(option):
    """Return what a person sees of an option, without its default."""
    return option.opts, option.help, option.metavar, option.type_descriptor.annotation, option.multiple


def test_the_commands_that_compose_a_report_are_these():
    assert REPORTING == ["inspect", "walk", "intervene", "attribute", "ablate", "gates", "classes", "family"]


def test_each_command_that_writes_figures_has_all_options_of_files():
    wanted = {field.name for field in fields(OutputOptions)}
    for name, options in COMMANDS.items():
        mine = wanted & set(options)
        if name in REPORTING:
            assert mine == wanted, name
        else:
            assert mine <= {"out", "report"}, name
            assert ("out" in mine) == (name in OTHER_OUT), name


def test_an_option_is_the_same_in_all_commands():
    for option in ("figures", "preset", "out", "report", "table"):
        of = {name: kind(options[option]) for name, options in COMMANDS.items() if option in options}
        if option == "out":  # ablate continues in its folder, and says so
            of = {name: one for name, one in of.items() if name not in {*OTHER_OUT, "ablate"}}
        assert len(of) > 4
        assert len(set(map(str, of.values()))) == 1, (option, of)


def test_formats_are_those_that_a_figure_can_have():
    figures, preset = (COMMANDS["walk"][name].type_descriptor.annotation for name in ("figures", "preset"))
    assert set(get_args(figures)) == set(get_args(Format))
    assert set(get_args(preset)) == set(PRESETS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["walk", "--sample", "cat", "--out", "x", "--preset", "column"], "add --figures pdf, svg or png"),
        (["gates", "--figures", "pdf"], "name the folder with --out"),
        (["cost", "demo/r16", "--table", "cost.xlsx"], "written as .csv or .parquet, not as 'cost.xlsx'"),
        (["profile", "--data", "x", "--eta2", "eta2.txt"], "written as .csv or .parquet, not as 'eta2.txt'"),
        (["family", "--out", "x"], "name it with --what"),
    ],
)
def test_a_mistake_is_said_before_the_work(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = RUN.invoke(app, arguments, env={"COLUMNS": "300", "TERM": "dumb"})
    assert ended.exit_code == 2
    assert sentence in " ".join(ended.stderr.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def run(*arguments):
    ended = RUN.invoke(app, [str(one) for one in arguments])
    assert ended.exit_code == 0, ended.output
    return ended.stdout


@pytest.mark.slow
def test_tables_of_a_report_end_with_model_and_data_and_the_report_says_both(tmp_path):
    out, report = tmp_path / "out", tmp_path / "walk.html"
    said = run("walk", "--sample", "cat", "--device", "cpu", "--out", out, "--report", report)
    tables = sorted(path.name for path in out.glob("*.csv"))
    assert tables == ["excitation.csv", "numbers.csv", "products.csv", "steps.csv"]
    for name in tables:
        frame = pd.read_csv(out / name)
        assert list(frame)[-2:] == ["model", "data"]
        assert set(frame["model"]) == {"demo/r16"}
        assert len(set(frame["data"])) == 1
    assert f"4 tables, 2 figures and walk.npz are in {out}/" in said
    written = report.read_text()
    assert "<dt>Gate</dt><dd>SE_2_1, channel " in written
    assert "<dt>Model</dt><dd>demo/r16</dd>" in written


@pytest.mark.slow
def test_the_family_and_its_tables_say_the_images(tmp_path):
    run("family", "--what", "squeeze operator", "--out", tmp_path)
    assert list(pd.read_csv(tmp_path / "demo_models.csv"))[-1] == "data"  # its rows name their model
    frame = pd.read_csv(tmp_path / "beside_paper.csv")
    assert list(frame)[-2:] == ["model", "data"]
    assert set(frame["data"]) == {"Imagenette, val, 3,925 images"}
    assert set(frame["model"]) == {"demo models by squeeze operator"}


@pytest.mark.slow
def test_printed_tables_can_be_written_with_model_and_data(tmp_path):
    run("cost", "demo/r16", "--table", tmp_path / "cost.parquet")
    cost = pd.read_parquet(tmp_path / "cost.parquet")
    assert list(cost) == ["part", "gates", "channels", "parameters", "share", "MACs", "model", "data"]
    first, last = cost.iloc[0], cost.iloc[-1]
    assert last.parameters == first.parameters * (1 + last.share)
    assert cost["parameters"][:-1].sum() == last.parameters
    assert (last.gates, last.model, last.data) == (8, "demo/r16", "one image of 128 × 128 pixels")
    run("responses", "--table", tmp_path / "responses.csv")
    frame = pd.read_csv(tmp_path / "responses.csv")
    assert next(iter(frame)) == "model"
    assert list(frame)[-1] == "data"
    assert set(frame["data"]) == {"Imagenette, val, 3,925 images"}
    assert frame.groupby("model").size()["r16"] == 8
