"""The command ``se-viz``, whose page makes small shards, and waits in a pass until a file is there."""

import os
from pathlib import Path
from threading import Event

from se_viz.cli.app import app
from se_viz.ui.widgets import profile_pass, server_profiles

_FROM = int(os.environ["SE_VIZ_TEST_HELD_FROM"])
_GO_ON = Path(os.environ["SE_VIZ_TEST_GO_ON"])
_profile = profile_pass.profile


def _held(*args, report, **options):
    def reported(done, total):
        report(done, total)
        while done >= _FROM and not _GO_ON.exists():
            Event().wait(0.05)
            report(done, total)  # as a click ends this run at an update of the progress bar

    return _profile(*args, report=reported, **options)


profile_pass.profile = _held
server_profiles.SHARD = int(os.environ["SE_VIZ_TEST_SHARD"])
app()
