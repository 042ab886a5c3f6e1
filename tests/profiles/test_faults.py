"""Several processes with one folder, killed and with damaged files: SE_VIZ_FAULT_RUNS=200 for a longer loop."""

import json
import os
import subprocess
import sys
from pathlib import Path

import fault_loop
import pytest

RUNS = os.environ.get("SE_VIZ_FAULT_RUNS", "5")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the loop forks")
def test_processes_that_write_one_folder_are_killed_and_damaged_end_with_the_same_bytes_or_a_sentence(tmp_path):
    script = Path(fault_loop.__file__)
    ended = subprocess.run(
        [sys.executable, str(script), str(tmp_path), RUNS],
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    logs = "".join(path.read_text() for path in tmp_path.glob("run *.log"))
    assert ended.returncode == 0, ended.stdout + ended.stderr + logs
    said = json.loads(ended.stdout)
    assert said["wrong"] == []
    assert said["processes"]["same bytes"] >= int(RUNS)
