"""Entry point of the page: ``streamlit run app.py``."""

from se_viz.ui.shell import run

run()
