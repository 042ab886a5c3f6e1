"""Entry point of the page: ``streamlit run app.py``, or ``uvicorn app:app``."""

from streamlit.starlette import App

from se_viz.ui.server.options import PAGE, exception_handlers, lifespan, middleware

app = App(PAGE, middleware=middleware(), exception_handlers=exception_handlers(), lifespan=lifespan)
