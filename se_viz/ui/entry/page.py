"""The script that the server runs for a session, at its start and at every click.

It is alone in its folder, because Streamlit puts that folder in front of ``sys.path`` while the script runs.
"""

from se_viz.ui.app import run
from se_viz.ui.server.admission import RUNS
from se_viz.ui.server.release_memory import freeze_imports

freeze_imports()
with RUNS.turn():
    run()
