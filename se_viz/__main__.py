"""``python -m se_viz``."""

from se_viz.cli import app

app()
