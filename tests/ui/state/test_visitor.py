"""Whether a visitor is still there."""

import pytest
from streamlit.runtime.scriptrunner import get_script_run_ctx

from se_viz.ui.state import uploaded_model, visitor
from se_viz.ui.widgets import checkpoint_picker
from se_viz.weights.errors import Cancelled


class Server:
    def __init__(self):
        self.sessions = {"one"}

    def is_active_session(self, session):
        return session in self.sessions


def test_a_visitor_leaves_when_the_session_is_active_no_more(monkeypatch):
    server = Server()
    monkeypatch.setattr(visitor, "get_script_run_ctx", lambda: type("Context", (), {"session_id": "one"}))
    monkeypatch.setattr(visitor.runtime, "exists", lambda: True)
    monkeypatch.setattr(visitor.runtime, "get_instance", lambda: server)
    gone = visitor.leaving()
    assert not gone()
    server.sessions.clear()
    assert gone()


def test_without_a_server_no_visitor_leaves():
    assert get_script_run_ctx() is None
    assert not visitor.leaving()()


def test_reading_a_visitors_weights_ends_when_the_visitor_leaves(monkeypatch):
    """What is asked while a file is read is whether its visitor is there."""
    from streamlit.testing.v1 import AppTest

    asked = []

    def load(*_, cancelled, **__):
        asked.append(cancelled())
        raise Cancelled

    monkeypatch.setattr(uploaded_model, "leaving", lambda: lambda: True)
    monkeypatch.setattr(uploaded_model, "load_checkpoint", load)

    def page():
        from types import SimpleNamespace

        import streamlit as st

        from se_viz.ui.widgets import checkpoint_picker

        def upload(label, *_, **__):
            return SimpleNamespace(file_id="1", name="x.pth", getvalue=bytes) if label == "Weights" else None

        checkpoint_picker.upload = upload
        st.session_state["own_architecture"] = "timm/seresnet50"
        checkpoint_picker.choose("cpu", "fp32", None, st.container())
        st.write("after")

    monkeypatch.setattr(checkpoint_picker, "upload", checkpoint_picker.upload)
    at = AppTest.from_function(page, default_timeout=60).run()
    assert not at.exception
    assert asked == [True]
    assert "after" not in [markdown.value for markdown in at.markdown]


@pytest.mark.parametrize("there", [True, False])
def test_a_function_that_was_made_in_a_run_is_asked_outside_of_it(monkeypatch, there):
    server = Server() if there else type("Empty", (), {"is_active_session": staticmethod(lambda _: False)})
    monkeypatch.setattr(visitor, "get_script_run_ctx", lambda: type("Context", (), {"session_id": "one"}))
    monkeypatch.setattr(visitor.runtime, "exists", lambda: True)
    monkeypatch.setattr(visitor.runtime, "get_instance", lambda: server)
    gone = visitor.leaving()
    monkeypatch.setattr(visitor, "get_script_run_ctx", lambda: None)
    assert gone() is not there
