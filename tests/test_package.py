import subprocess
import sys

import pytest

import se_viz


def test_importing_the_package_or_asking_for_help_does_not_wait_for_torch():
    code = "import sys, se_viz, se_viz.cli.app; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("name", se_viz.__all__)
def test_every_public_name_is_there_and_described(name):
    assert getattr(se_viz, name).__doc__


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="nothing"):
        _ = se_viz.nothing
