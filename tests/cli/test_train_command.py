"""The commands `train` and `responses`: what is refused before hours of training, and what is finished already."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from se_viz.cli.app import app
from se_viz.demo import pretrained as demo
from se_viz.demo.recipe import Recipe

RUN = CliRunner()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SE_VIZ_NETWORKS", str(tmp_path / "networks"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "networks").mkdir()
    return tmp_path / "networks"


@pytest.fixture
def made(monkeypatch):
    """The trainings that are asked for; none is run."""
    asked = []

    def make(config, data, *, out, work, seed, recipe, device):
        asked.append(recipe)
        return demo.card("r16")

    monkeypatch.setattr("se_viz.demo.build.make", make)
    return asked


def run(*arguments):
    result = RUN.invoke(app, [*map(str, arguments), "--data", "."])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


def finished(folder, name="r24", **fields):
    """A card with weights that nothing may overwrite."""
    replace(demo.card("r16"), name=name, **fields).write(folder / f"{name}.json")
    (folder / f"{name}.safetensors").write_bytes(b"weights")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "r16 is a shipped network: train it with another --seed"),
        (("--r", 0), "no-se is a shipped network"),
        (("--seed", 1), "r16-seed1 is a shipped network"),
        (("--out", "networks"), "r16 is a shipped network"),
        (("--family", "--out", "networks"), "r16 is a shipped network"),
        (("--r", 24, "--stages", ""), "--r 0 alone makes a network without SE"),
        (("--r", 0, "--squeeze", "max", "--seed", 3), "--r 0 alone makes a network without SE"),
        (("--r", 24, "--epochs", 0), "should be greater than or equal to 1"),
        (("--r", 24, "--epochs", -1), "should be greater than or equal to 1"),
    ],
)
def test_what_the_page_would_ignore_is_refused_before_it_is_trained(folder, made, options, said):
    code, output = run("train", *options)
    assert code != 0
    assert said in output
    assert not made


def test_other_names_and_folders_are_trained(folder, made):
    for options in (("--r", 24), ("--seed", 9), ("--out", "elsewhere"), ("--r", 24, "--epochs", 1)):
        assert run("train", *options)[0] == 0
    assert [recipe.epochs for recipe in made] == [Recipe().epochs] * 3 + [1]


def test_a_finished_network_is_not_overwritten(folder, made):
    finished(folder)
    code, output = run("train", "--r", 24)
    assert (code, "r24 is finished already" in output) == (0, True)
    code, output = run("train", "--r", 24, "--epochs", 2)
    assert code == 1
    assert "another recipe (epochs 60, not 2) and would be overwritten: name another folder with --out" in output
    (folder / "r24.json").write_text("{}")
    code, output = run("train", "--r", 24)
    assert (code, "is not a card or damaged: remove it" in output) == (1, True)
    assert not made


def test_responses_that_were_not_measured_say_how_to_measure_them(folder):
    result = RUN.invoke(app, ["responses", "--yours"])
    assert result.exit_code == 1
    assert "Your networks have not been measured: add --data" in result.output
