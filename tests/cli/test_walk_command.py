"""The command walk: the steps with the numbers of capture, files, and sentences for mistakes."""

import pytest
from typer.testing import CliRunner

import se_viz
from se_viz.cli.app import app
from se_viz.reports.walk_numbers import number

RUN = CliRunner()
GIVEN = ["walk", "--sample", "cat", "--device", "cpu"]


@pytest.mark.slow
def test_the_steps_are_printed_and_the_files_written(tmp_path):
    ended = RUN.invoke(app, [*GIVEN, "--gate", "SE_3_1", "--channel", "5", "--out", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    gate_capture = se_viz.capture(se_viz.load("demo/r16", "cpu"), se_viz.sample("cat"))["SE_3_1"]
    assert "2. X → (V ∗ X)_5. Channel 5 has a filter v_5 of 48 weights." in ended.stdout
    assert f"256 = {number(gate_capture.z[0, 5])}" in ended.stdout
    assert f"= {number(gate_capture.s[0, 5])}, with σ(a)" in ended.stdout
    assert (tmp_path / "walk.npz").exists()
    assert (tmp_path / "steps.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--gate", "SE_3_1", "--channel", "192"], "SE_3_1 has no channel 192: its channels are 0 to 191."),
        (["--gate", "SE_9"], "There is no gate 'SE_9'"),
        (["--pixel", "40", "0"], "There is no pixel 40,0 in U of SE_2_1"),
        (["--focus", "2"], "There is no image 2 for --focus"),
    ],
)
def test_mistakes_are_said(options, sentence):
    ended = RUN.invoke(app, [*GIVEN, *options])
    assert ended.exit_code == 1
    assert sentence in ended.stderr
