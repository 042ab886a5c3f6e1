"""Entry point of ``python -m se_viz``."""

from se_viz.cli.app import app

app()
