"""The command `family`: what it refuses before any work."""

import pytest
from typer.testing import CliRunner

from se_viz.cli.app import app

RUN = CliRunner()
CHOICE = ("--what", "reduction ratio r")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--report", "family.html"), "name it with --what"),
        (("--model", "timm/seresnet50"), "name it with --what"),
        ((*CHOICE, "--model", "demo/r8"), "demo/r8 is a demo model"),
        ((*CHOICE, "--sample", "cat"), "name it with --model"),
        ((*CHOICE, "--model", "timm/seresnet50", "--checkpoint", "newts.pth"), "use one of them"),
        ((*CHOICE, "--model", "timm/seresnet50", "--sample", "cat", "--profiles", "newts"), "use one of them"),
        ((*CHOICE, "--arch", "timm/seresnet50"), "--arch needs a --checkpoint"),
    ],
)
def test_options_that_lack_another_are_refused(options, said):
    result = RUN.invoke(app, ["family", *options])
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())
