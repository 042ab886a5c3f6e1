"""tests/accelerator in a separate process, as its device would be the accelerator of every other test here."""

import os
from pathlib import Path

import pytest
from support import forked

FOLDER = Path(__file__).with_name("accelerator")


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.xdist_group("servers")  # where there are forks
def test_every_path_runs_on_a_device_that_is_not_the_cpu(request, tmp_path):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    every = ["--exhaustive"] if request.config.getoption("exhaustive") else []
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *every, str(FOLDER)]
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of plugins that were imported before the fork
    log = tmp_path / "log"
    process = forked.start("pytest", arguments, plain, FOLDER.parents[1], log)
    returncode, said = process.wait(), log.read_text()
    assert returncode == 0, said
    assert "skipped" not in said
