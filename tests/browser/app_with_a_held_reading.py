"""The page, whose first reading waits until the tests write to a pipe."""

import os
from pathlib import Path

from se_viz.ui.app import run
from se_viz.ui.state import captures

_PIPE = Path(os.environ["SE_VIZ_TEST_PIPE"])
_capture = captures.capture


def _held(*args, **options):
    captures.capture = _capture
    _PIPE.read_bytes()  # Opening a pipe waits for a process that writes to it.
    return _capture(*args, **options)


# The script runs again for every session and every click; what it held once is held no more.
if not hasattr(captures, "held"):
    captures.held, captures.capture = True, _held
run()
