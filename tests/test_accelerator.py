"""tests/accelerator in a separate process, as its device would be the accelerator of every other test here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("accelerator")


@pytest.mark.slow
@pytest.mark.longest
def test_every_path_runs_on_a_device_that_is_not_the_cpu(request):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    every = ["--exhaustive"] if request.config.getoption("exhaustive") else []
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *every, str(FOLDER)],
        cwd=FOLDER.parents[1],
        env=plain,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "skipped" not in ran.stdout
