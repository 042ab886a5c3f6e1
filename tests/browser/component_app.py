"""The component's page behind the project's own middleware."""

from pathlib import Path

from streamlit.starlette import App

from se_viz.ui.server.options import exception_handlers, lifespan, middleware

app = App(
    Path(__file__).with_name("component_page.py"),
    middleware=middleware(),
    exception_handlers=exception_handlers(),
    lifespan=lifespan,
)
