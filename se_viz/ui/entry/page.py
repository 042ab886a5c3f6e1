"""What the server runs for a session, at its start and at every click.

It has a folder to itself, because Streamlit puts the folder of this file in front of ``sys.path`` while it runs.
"""

from se_viz.ui.app import run
from se_viz.ui.server.admission import RUNS
from se_viz.ui.server.heap import freeze_imports

freeze_imports()
with RUNS.turn():
    run()
